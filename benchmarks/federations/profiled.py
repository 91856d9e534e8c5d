"""What a profile costs on one engine, in an environment that has it: python -m … ENGINE FILE.

Three sites train the network that CryoFed ships, one step a round, as real processes over mutual TLS. In
profile attested the chip is the tests' own, whose evidence is verified under a root that only a test can
name. Every figure is a line of FILE as soon as it is known: `{profile, seconds, bytes, said}`.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import sys
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cryofed.disk.lines import read_lines
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, NetworkRules, Plan, RoundRules
from cryofed.federation.agreement.plan_file import commented_plan, read_plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.engines.deployment import deployment_of
from cryofed.federation.releases.first import begin_releases
from cryofed.library.harvest import walk
from cryofed.library.harvest.importing import harvest
from cryofed.library.store import Library
from cryofed.simulation.sites import write_sites

ROOT = Path(__file__).parents[2]
NAMES = ("site-1", "site-2", "site-3")
ROUNDS = 5  # the first warms up
CHIP = "tests.federation.engines.remote.profile_learner"
PROFILES = ("open", "masked", "attested", "attested-masked")


def plan_of(engine: str, profile: str) -> Plan:
    """The same but for the profile."""
    from tests.trust.attestation.makers import MEASUREMENT

    runs = {"snp": {"measurements": [MEASUREMENT.hex()], "require_crl": False}}
    return Plan(
        name="profiled",
        engine=engine,
        profile=profile,
        rounds=RoundRules(count=ROUNDS, min_updates=3, grace_s=120.0),
        training=LocalTraining(steps=1, batch=32),
        network=NetworkRules(port=free_port()),
        guard=GuardRules(max_norm=2.0),
        sites=tuple(EnrolledSite(name=name, max_examples=2000) for name in NAMES),
        attestation=runs if "attested" in profile else {},
    )


def free_port() -> int:
    """Not the plan's own: another federation of this machine may be about to take that."""
    with socket.socket() as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])


def measured(engine: str, profile: str, libraries: dict[str, Path], folder: Path) -> dict[str, object]:
    """Seconds of a round, and what a site says in it: bytes and messages, as its audit has them."""
    home, path = folder / "home", folder / "plan.toml"
    path.write_text(commented_plan(plan_of(engine, profile)))
    plan = read_plan(path)
    begin_releases(home, plan, None, untrained=False)
    deployment = deployment_of(engine)
    with deployment.here(plan, libraries, home) as running:
        deployment.run(running, path, home)
    rounds = read_lines(home / "campaigns" / "0001" / "rounds.jsonl")
    sent = read_lines(home / "sites" / NAMES[0] / "audit" / "audit.jsonl")
    of_rounds = [row for row in sent if row["task"] not in ("evaluate", "statistics")]
    return {
        "profile": profile,
        "seconds": statistics.median(row["seconds"] for row in rounds[1:]),
        "bytes": sum(row["bytes"] for row in of_rounds) / len(rounds),
        "said": len(of_rounds) / len(rounds),
    }


def main(engine: str, file: Path) -> None:
    """Every profile, one after the other."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    os.environ |= {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        write_sites(base / "projects", 3, 2, seed=5)
        libraries = {site: base / f"{site}.db" for site in NAMES}
        for site, library in libraries.items():
            with Library(library, create=True) as one:
                list(harvest(walk.find([base / "projects" / site]), one))
        key = rsa.generate_private_key(65537, 2048)
        root = base / "root.pem"
        root.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        for profile in PROFILES:
            if "attested" in profile:
                os.environ |= {
                    "CRYOFED_TEST_CHIP": str(root),
                    "CRYOFED_LEARNER": CHIP,
                    "CRYOFED_EVIDENCE": f"{CHIP}:genuine",
                }
            folder = base / profile
            folder.mkdir()
            found = measured(engine, profile, libraries, folder)
            with file.open("a") as lines:
                lines.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
