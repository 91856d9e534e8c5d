"""Versioned models: a folder each, with what they came from; one of them is the current release."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from cryofed.disk.whole import write_whole
from cryofed.errors import FederationError, InputError
from cryofed.federation.releases.history import Promotion, note_promotion
from cryofed.federation.releases.refill import places_in, write_like
from cryofed.federation.releases.signing import check_release, own_key, own_signer, sign_release
from cryofed.federation.wire.bounds import is_hash
from cryofed.learning.vector import Layout, Vector, vector_hash
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.scorer import SHIPPED

HISTORY = "history.jsonl"  # of promotions, beside the releases


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A model that sites use, and what its card says."""

    number: int  # from 1
    path: Path
    layout: Layout
    vector: Vector
    calibration: Calibration
    card: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """SHA-256 of the vector."""
        return vector_hash(self.vector)


def write_release(
    folder: Path,
    number: int,
    vector: Vector,
    calibration: Calibration,
    facts: Mapping[str, Any],
    *,
    like: Path = SHIPPED.parent,
) -> Path:
    """Add a release: all three files or none of them. Needs no torch.

    Args:
        folder: of all releases.
        number: of this one, from 1.
        vector: its numbers, in the layout of `like`.
        calibration: what its logits mean.
        facts: for the card: parent, plan, strategy, gate, ...
        like: folder of a model of the same network: the release before, or the model that CryoFed ships.

    Raises:
        FederationError: another model has this number, or the network is another one than that of `like`.
    """
    layout, _, _ = places_in(like)
    card = dict(facts)
    card |= {
        "calibration": asdict(calibration),
        "release": number,
        "layout": [[n, list(s)] for n, s in zip(layout.names, layout.shapes, strict=True)],
    }
    final, temporary = folder / f"{number:04d}", folder / f".{number:04d}.{os.getpid()}"
    if final.exists():
        known = json.loads((final / "card.json").read_text())
        if known.get("vector_sha256") == vector_hash(vector):
            return final  # a run that was killed after writing it has come back
        raise FederationError(f"{final}: another model is there already; move that folder away")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(temporary, ignore_errors=True)
    write_like(temporary, like, vector, calibration, card)
    key = own_key(folder.parent, make=True)
    if key is not None:
        sign_release(temporary, key, number)
    temporary.rename(final)
    return final


def read_release(path: Path) -> Release:
    """A release, its weights held against its card. Needs no torch.

    Raises:
        InputError: files are missing, damaged, or of different models.
    """
    weights_path, card = path / "weights.safetensors", read_card(path)
    try:
        arrays = load_file(weights_path)
        layout = Layout(
            tuple(name for name, _ in card["layout"]), tuple(tuple(shape) for _, shape in card["layout"])
        )
        vector = layout.join({name: np.asarray(array, np.float32) for name, array in arrays.items()})
        calibration = Calibration.of(card.get("calibration") or {})
    except InputError:
        raise
    except Exception as error:  # safetensors raises its own types for a damaged header
        found = type(error).__name__
        raise InputError(path, "release", f"unreadable ({found})", "copy it again from a site") from None
    if card.get("vector_sha256") != vector_hash(vector):
        raise InputError(
            weights_path, "weights", "not those that card.json names", "copy it again from a site"
        )
    return Release(
        number=card["release"], path=path, layout=layout, vector=vector, calibration=calibration, card=card
    )


def read_card(path: Path) -> dict[str, Any]:
    """A release's card; all else that it says is for people.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        card = json.loads((path / "card.json").read_bytes())
        sound = type(card["release"]) is int and is_hash(card["vector_sha256"]) and bool(card["layout"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise InputError(path / "card.json", "card", "missing or damaged", "copy it again from a site")
    return dict(card)


def current_release(folder: Path) -> Release | None:
    """The release that sites use now, None before the first."""
    number = current_number(folder)
    return None if number is None else sound_release(folder / f"{number:04d}")


def sound_release(path: Path) -> Release:
    """A release of this federation, all its files held against the signature of its own key.

    Raises:
        InputError: unsigned, signed by another key, or changed.
    """
    signer = own_signer(path.parent.parent)
    if signer:
        statement = check_release(path, signer)
        if statement["release"] != int(path.name):
            raise InputError(path, "release", f"signed as release {statement['release']}", "copy it again")
    return read_release(path)


def current_number(folder: Path) -> int | None:
    """The current release's number, None before the first.

    Raises:
        InputError: the pointer is damaged.
    """
    pointer = folder / "current"
    if not pointer.exists():
        return None
    content = pointer.read_bytes()
    if re.fullmatch(rb"[0-9]{4}\n?", content) is None:
        raise InputError(pointer, "content", repr(content[:20]), "promote a release again")
    return int(content)


def promote(folder: Path, number: int, by: str) -> None:
    """Make this release the current one, and write down who did.

    Raises:
        InputError: no such release, or its files are damaged.
    """
    if number not in release_numbers(folder):
        raise InputError(folder, "release", f"{number}", f"choose one of {release_numbers(folder)}")
    release = sound_release(folder / f"{number:04d}")
    note_promotion(folder / HISTORY, Promotion(release=number, model=release.hash, by=by))
    write_whole(folder / "current", f"{number:04d}\n".encode())


def release_numbers(folder: Path) -> list[int]:
    """All releases that are there."""
    return sorted(int(path.name) for path in folder.glob("[0-9][0-9][0-9][0-9]"))


def parent_of(folder: Path, release: Release) -> int | None:
    """The number of the release that this one was trained from; None where that is not here."""
    for number in reversed(release_numbers(folder)):
        if number < release.number and read_release(folder / f"{number:04d}").hash == release.card.get(
            "parent"
        ):
            return number
    return None


def rollback(folder: Path, by: str) -> Release:
    """Go back to the current release's parent.

    Raises:
        FederationError: there is none.
    """
    number = current_number(folder)  # whose files may be damaged, which is a reason to go back
    parent = parent_of(folder, read_release(folder / f"{number:04d}")) if number else None
    if parent is None:
        raise FederationError(f"{folder}: the current release has no parent here to go back to")
    promote(folder, parent, by)
    return read_release(folder / f"{parent:04d}")


def first_release(
    folder: Path, vector: Vector, calibration: Calibration, facts: Mapping[str, Any]
) -> Release:
    """The release that a federation begins from, made current."""
    path = write_release(folder, 1, vector, calibration, {"parent": None, **facts})
    promote(folder, 1, "founding")
    return read_release(path)
