"""Whom we believe: the keys of the chip makers, and nobody else's.

`verify` knows these roots and takes no others; a policy has no field for a root, and no reader in this
program makes `Roots`. Other roots are named only by a caller in Python that passes them to
`verify_under`, as the tests do, and what comes of that never has the status `attested`.

The pins are SHA-256 over SubjectPublicKeyInfo. AMD's keys are the same in three unrelated projects
(google/go-sev-guest, virtee/sev, routex-client-lua), NVIDIA's is the one in its own verifier's wheel.
Intel's pin is SHA-384 over the key that is compiled into dcap-qvl, named here so that another one there
would not pass. None was compared with the vendors' own web pages, which this project cannot reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """The keys under which evidence is believed."""

    amd: Mapping[str, str]  # line of processors: pin of its AMD Root Key
    intel: str  # pin: SHA-384 over the root's key, as dcap-qvl reports it
    nvidia: str  # pin of the device root
    intel_certificate: bytes | None = None  # DER; None takes the one inside dcap-qvl


VENDOR_ROOTS = Roots(
    amd=MappingProxyType(
        {
            "Milan": "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9",
            "Genoa": "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831",
        }
    ),
    intel="46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993",
    nvidia="a90c4eb5acfd3e3d03a25db6a26b84f720ad0503196c627c21ddd48dd85b06a4",
)
