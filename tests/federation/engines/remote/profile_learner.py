"""A learner whose site believes a test's chip, and the chip; environment variables name them, no file can.

Aggregator and sites are processes of their own, so the key of the test's root lies in a file that
`CRYOFED_TEST_CHIP` names.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.trust.attestation import makers
from tests.trust.attestation.makers import MEASUREMENT, NOW, Amd

from cryofed.federation.engines.remote import agreeing, learner_child
from cryofed.federation.site.attesting import Witness
from cryofed.trust.attestation.binding import Binding
from cryofed.trust.attestation.evidence import Evidence
from cryofed.trust.attestation.policy import Policy
from cryofed.trust.attestation.verdict import Verdict
from cryofed.trust.attestation.verifying import verify_under


@cache
def chip() -> Amd:
    """The test's chip, under the root of the file."""
    root: Any = load_pem_private_key(Path(os.environ["CRYOFED_TEST_CHIP"]).read_bytes(), None)
    other = rsa.generate_private_key(65537, 2048)
    makers.rsa_key = lambda number: root if number == 1 else other
    return Amd()


def proven(evidence: Evidence, policy: Policy, binding: Binding, _: datetime) -> Verdict:
    """Under the test's root, at the test's time."""
    return verify_under(chip().roots, evidence, policy, binding, NOW)


agreeing.verify = proven  # an aggregator that asks this chip for evidence believes it of sites, too


def genuine(binding: Binding) -> Evidence:
    """What `CRYOFED_EVIDENCE` names: a chip that runs what was agreed."""
    return chip().evidence(binding)


def other(binding: Binding) -> Evidence:
    """A chip that runs something else."""
    return chip().evidence(binding, measurement=bytes(len(MEASUREMENT)))


def main(kit: Path) -> None:
    """The product's own learner, but for the root."""
    believed = agreeing.witness_of

    def witness_of(agreement: Any) -> Witness:
        return replace(believed(agreement), verify=proven)

    agreeing.witness_of = witness_of
    learner_child.main(kit)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
