"""Which models a site scores with: releases of the coordinator whose key it has pinned, and none older."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryofed.disk.documents import read_document, write_document
from cryofed.errors import InputError
from cryofed.federation.releases.signing import check_release

NEWEST = (
    "newest-release.json"  # in the site's agreement folder: the number of the newest release that it has used
)


def trusted_release(folder: Path, signer: str, notes: Path, *, older: bool = False) -> dict[str, Any]:
    """Check a release before it is used, and remember its number.

    Args:
        folder: of the release.
        signer: fingerprint of the pinned key.
        notes: folder in which the number is kept.
        older: an older release than the one used before is wanted.

    Raises:
        InputError: unsigned, foreign, changed or older; see `check_release`.
    """
    path = notes / NEWEST
    newest = int(read_document(path)["release"]) if path.exists() else 0
    statement = check_release(folder, signer, 0 if older else newest)
    if statement["release"] != newest and notes.is_dir():
        try:
            write_document(path, {"release": statement["release"]})
        except InputError as error:
            raise InputError(path, "file", "cannot be written", "give the rights to write there") from error
    return statement
