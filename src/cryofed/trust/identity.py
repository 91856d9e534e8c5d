"""One participant's identity: a private key that never leaves its folder, its certificate, its authority."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError
from cryofed.trust.certificates import check_chain, load_certificates, root_fingerprint
from cryofed.trust.keys import key_fingerprint, read_key, same_fingerprint


@dataclass(frozen=True, slots=True)
class Identity:
    """A folder of three files, of which only this user may read the key."""

    folder: Path

    @property
    def key(self) -> Path:
        """The private key."""
        return self.folder / "key.pem"

    @property
    def certificate(self) -> Path:
        """What the authority has signed."""
        return self.folder / "certificate.pem"

    @property
    def authority(self) -> Path:
        """The authority's root certificate."""
        return self.folder / "authority.pem"

    @property
    def exists(self) -> bool:
        """Whether it has been signed."""
        return self.certificate.exists()

    def check(self, now: datetime | None = None) -> None:
        """Refuse an expired certificate, or one of another authority.

        Raises:
            InputError: names the file and what to do.
        """
        remedy = "join the federation again"
        leaf = load_certificates(self.certificate, remedy)[0]
        check_chain(leaf, load_certificates(self.authority, remedy)[0], self.certificate, now)


def take_answer(answer: Path, request: Path, authority: str, identity: Identity) -> None:
    """Make an identity of a key that waits in `request` and of the coordinator's answer; all or nothing.

    Args:
        answer: PEM, the certificate and the root after it.
        request: folder of `key.pem`; it is removed.
        authority: fingerprint of the root that is trusted, from the invitation.
        identity: what is made, in the place of an older one.

    Raises:
        InputError: another authority, or a certificate of another key.
    """
    remedy = "ask the coordinator for the answer to this request"
    chain = load_certificates(answer, remedy)
    if len(chain) != 2:
        raise InputError(answer, "answer", f"{len(chain)} certificates, not 2", remedy)
    leaf, root = chain
    if not same_fingerprint(root_fingerprint(root), authority):
        mismatch = "its authority is not the one of the invitation"
        raise InputError(
            answer, "answer", mismatch, "compare the authority's fingerprint with the coordinator"
        )
    check_chain(leaf, root, answer)
    key = read_key(request / "key.pem").public_key()
    if key_fingerprint(leaf.public_key()) != key_fingerprint(key):
        raise InputError(answer, "answer", "the certificate of another key", remedy)
    place(leaf_and_root(answer), request, identity)


def place(parts: tuple[bytes, bytes], request: Path, identity: Identity) -> None:
    """Put certificate, root and the request's key into an identity's folder, and remove the request."""
    new = Identity(identity.folder.with_name(f".{identity.folder.name}.new"))
    shutil.rmtree(new.folder, ignore_errors=True)
    new.folder.mkdir(mode=0o700, parents=True)
    write_whole(new.certificate, parts[0])
    write_whole(new.authority, parts[1])
    write_whole(new.key, (request / "key.pem").read_bytes(), mode=0o600)
    shutil.rmtree(identity.folder, ignore_errors=True)
    new.folder.rename(identity.folder)
    shutil.rmtree(request)


def leaf_and_root(answer: Path) -> tuple[bytes, bytes]:
    """The two certificates of an answer, as PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding

    leaf, root = load_certificates(answer, "ask the coordinator for the answer again")
    return leaf.public_bytes(Encoding.PEM), root.public_bytes(Encoding.PEM)
