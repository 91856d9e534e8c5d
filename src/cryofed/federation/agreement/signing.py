"""Agreements as signed files: made by the coordinator, read by everybody under the key that they pinned."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.disk.whole import write_whole
from cryofed.errors import AgreementError, InputError, WireError
from cryofed.federation.agreement.agreed import LARGEST, Agreement, agreement_of, read_agreement
from cryofed.federation.agreement.plan import Plan
from cryofed.trust.envelope import opened, seal
from cryofed.trust.keys import key_fingerprint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KIND = "application/vnd.cryofed.agreement+json"
LARGEST_FILE = 2 * LARGEST


def sign_agreement(agreement: Agreement, key: Ed25519PrivateKey) -> bytes:
    """The signed file."""
    return seal(KIND, agreement.payload, key)


@lru_cache(maxsize=4)  # one order asks four times for the same one
def opened_agreement(data: bytes, coordinator: str) -> Agreement:
    """The agreement in a signed file.

    Args:
        data: from another machine.
        coordinator: fingerprint of the key that is pinned.

    Raises:
        AgreementError: `forged`: not signed by that key, changed since, or not an agreement.
    """
    try:
        return read_agreement(opened(data, KIND, coordinator, LARGEST))
    except (WireError, InputError) as error:
        raise AgreementError("forged", f"the agreement is refused: {error}") from None


def read_signed(path: Path, coordinator: str) -> Agreement | None:
    """The agreement in a file; None where there is no file.

    Raises:
        InputError: damaged, or not signed by this coordinator's key.
    """
    try:
        with path.open("rb") as file:
            return opened_agreement(file.read(LARGEST_FILE), coordinator)
    except FileNotFoundError:
        return None
    except (AgreementError, OSError) as error:
        raise InputError(path, "agreement", str(error)[:200], "restore it from a backup") from None


def issue(
    path: Path,
    plan: Plan,
    key: Ed25519PrivateKey,
    *,
    authority: str,
    keys: Mapping[str, str] | None = None,
) -> Agreement:
    """The agreement of this plan, signed into `path`: a new version only where its terms differ.

    Args:
        path: of the signed file; the versions before stay beside it.
        plan: of the federation.
        key: of the coordinator.
        authority: fingerprint of the root certificate.
        keys: of the members, by name.
    """
    last = read_signed(path, key_fingerprint(key.public_key()))
    agreement = agreement_of(plan, authority, last, keys)
    if last is None or agreement.hash != last.hash:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = sign_agreement(agreement, key)
        write_whole(path.with_name(f"{path.stem}-{agreement.version:04d}{path.suffix}"), data)
        write_whole(path, data)
    return agreement
