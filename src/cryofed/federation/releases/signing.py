"""Signed releases: an in-toto statement over a release's files, signed by the coordinator's key (DSSE)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError, MissingPackageError, WireError
from cryofed.trust.documents import canonical
from cryofed.trust.envelope import make_signing_key, opened, read_signing_key, seal
from cryofed.trust.keys import key_fingerprint, need_cryptography

KIND = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:cryofed:release:1"
SIGNED = "release.dsse"  # beside the files that it names
FILES = ("model.onnx", "weights.safetensors", "card.json")
LARGEST = 1_000_000  # bytes of a statement
KEY = Path("signing") / "key.pem"  # in the federation's folder


def own_key(federation: Path, *, make: bool = False) -> Path | None:
    """The federation's signing key; None where it has none, or `cryptography` is not installed."""
    path = federation / KEY
    try:
        need_cryptography()
    except MissingPackageError:
        return None
    if make and not path.exists():
        make_signing_key(path)
    return path if path.exists() else None


def own_signer(federation: Path) -> str:
    """Fingerprint of the federation's own signing key; empty where it has none."""
    path = own_key(federation)
    return "" if path is None else key_fingerprint(read_signing_key(path).public_key())


def sign_release(folder: Path, key: Path, number: int) -> None:
    """Sign the release whose three files are in `folder`; its predicate repeats the card (`TOLD`)."""
    card = json.loads((folder / "card.json").read_text())
    predicate = {name: card[name] for name in TOLD if name in card} | {"release": number}
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": _hash_of(folder / name)}} for name in FILES],
        "predicateType": PREDICATE,
        "predicate": predicate,
    }
    write_whole(folder / SIGNED, seal(KIND, canonical(statement), read_signing_key(key)))


# Of a card, what the statement repeats.
TOLD = (
    "federation",
    "campaign",
    "parent",
    "parent_release",
    "vector_sha256",
    "layout_sha256",
    "plan",
    "agreement",
    "strategy",
    "rounds",
    "participants",
    "examples",
    "privacy",
)


def check_release(folder: Path, signer: str, oldest: int = 0) -> dict[str, Any]:
    """Hold a release against its signature; what the statement says of it.

    Args:
        folder: of the release.
        signer: fingerprint of the key that is pinned.
        oldest: number of the release in use; an older one is refused.

    Raises:
        InputError: unsigned, signed by another key (foreign), changed, or older.
    """
    path, again = folder / SIGNED, "copy the release again from the coordinator"
    try:
        with path.open("rb") as file:
            data = file.read(2 * LARGEST)
    except OSError:
        remedy = "take a signed one, or say --own-model if this model is your own"
        raise InputError(folder, "release", "not signed", remedy) from None
    try:
        statement = _statement(opened(data, KIND, signer, LARGEST))
    except WireError as error:
        raise InputError(path, "signature", str(error), again) from None
    for name, digest in statement["subject"].items():
        if not (folder / name).is_file() or _hash_of(folder / name) != digest:
            raise InputError(folder / name, "file", "changed since the release was signed", again)
    number = statement["predicate"]["release"]
    if number < oldest:
        found = f"release {number}, older than release {oldest}, which is in use"
        raise InputError(folder, "release", found, "take the newest, or say --older if you mean to go back")
    return dict(statement["predicate"])


def _statement(payload: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(payload)
        subject = {one["name"]: one["digest"]["sha256"] for one in fields["subject"]}
        predicate: Mapping[str, Any] = fields["predicate"]
        sound = fields["_type"] == STATEMENT and fields["predicateType"] == PREDICATE
        sound = sound and set(subject) == set(FILES) and type(predicate["release"]) is int
    except (ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise WireError("format", "not the statement of a release")
    return {"subject": subject, "predicate": predicate}


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
