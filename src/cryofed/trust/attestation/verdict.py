"""What came of a verification: every check in plain words, and one of three status words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryofed.trust.attestation.roots import VENDOR_ROOTS, Roots

UNATTESTED = "unattested"
MEASURED_BOOT = "measured-boot"
ATTESTED = "attested"
STATUSES = (UNATTESTED, MEASURED_BOOT, ATTESTED)  # each proves more than the one before


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    code: str  # one word for reports and counts
    passed: bool
    words: str  # what was found, for a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The checks in their order; a verdict without a failed check is proven."""

    platform: str  # "AMD SEV-SNP", "Intel TDX", …
    proves: str  # the status that this kind of evidence reaches when every check passes
    checks: tuple[Check, ...]
    measured: Mapping[str, str]  # what the evidence says of the machine; believed only if proven
    roots: Roots

    @property
    def refusals(self) -> tuple[str, ...]:
        """The codes of the checks that failed, in their order."""
        return tuple(check.code for check in self.checks if not check.passed)

    @property
    def level(self) -> str:
        """One of STATUSES, under the roots that were asked for; what a gate compares."""
        return self.proves if self.checks and not self.refusals else UNATTESTED

    @property
    def status(self) -> str:
        """One of STATUSES, for people and reports: under any roots but the vendors' it is `unattested`."""
        return self.level if self.roots is VENDOR_ROOTS else UNATTESTED

    def meets(self, wanted: str) -> bool:
        """Whether this proves at least as much as `wanted`, one of STATUSES."""
        return STATUSES.index(self.level) >= STATUSES.index(wanted)
