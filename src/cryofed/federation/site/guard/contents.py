"""What a set of averages is, whatever its file is called: budget and noise belong to the data."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.disk.arrays import read_arrays, write_arrays
from cryofed.library.labelled import Labelled

Records = NDArray[np.int64]  # sorted, each the hash of one average's pixels

FOLDER = "records"  # beside the ledger: which averages each training saw, as hashes only


def content_hash(labelled: Labelled) -> str:
    """SHA-256 over all that training reads: another label, order or pixel is another set."""
    digest = hashlib.sha256()
    for name in Labelled.__slots__:
        column = np.ascontiguousarray(getattr(labelled, name))
        digest.update(json.dumps([name, column.dtype.str, column.shape]).encode())
        digest.update(column.tobytes())
    return digest.hexdigest()


def records_of(labelled: Labelled) -> Records:
    """The averages themselves: a copied, renamed, relabelled or extended library has the same ones."""
    images = np.ascontiguousarray(labelled.images.astype(np.float16))
    hashes = [
        int.from_bytes(hashlib.sha256(one.tobytes()).digest()[:8], "big", signed=True) for one in images
    ]
    return np.unique(np.array(hashes, np.int64))


def keep_records(folder: Path, records: Records) -> str:
    """Write them down beside the ledger; their name, by which a spend refers to them."""
    name = hashlib.sha256(records.astype("<i8").tobytes()).hexdigest()
    path = folder / FOLDER / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, {"records": records}, {})
    return name


def kept_records(folder: Path, name: str) -> Records | None:
    """What `keep_records` wrote under this name, None where it is not there."""
    path = folder / FOLDER / name
    return read_arrays(path)[0]["records"] if path.exists() else None


def share(one: Records | None, other: Records | None) -> bool:
    """Whether two sets have an average in common; what is not known counts as if they did."""
    return one is None or other is None or bool(np.isin(one, other).any())
