"""What a site has already masked and opened: on disk before anything leaves, so that no mask serves twice.

One file per site, one JSON line per step. Two rules are kept across crashes and restarts:

1. An attempt is begun once. Its secrets are in memory only: a site that crashes has lost them, and the
   round is called again with new ones.
2. Of all attempts of a round, and of all rounds from one model, the site opens its own mask for one. An
   aggregator that claims that a site has gone, and calls again without it, never has two sums whose
   difference is that site's update.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cryofed.errors import GuardError, InputError
from cryofed.trust.masks.messages import Call, Complete, Opening


@dataclass(frozen=True, slots=True)
class MaskLedger:
    """The append-only file."""

    path: Path

    def begin(self, call: Call) -> None:
        """Before the offer leaves.

        Raises:
            GuardError: this attempt, or a later one of this campaign, was begun before.
        """
        with self._locked() as (file, rows):
            mine = [row for row in rows if row["campaign"] == call.campaign.hex() and row["step"] == "begun"]
            last = max(((row["round_number"], row["attempt"]) for row in mine), default=(0, 0))
            if (call.round_number, call.attempt) <= last:
                raise GuardError(
                    "mask-used",
                    f"round {call.round_number}, attempt {call.attempt}: "
                    f"attempt {last[1]} of round {last[0]} was begun already; masks are not used twice",
                )
            _write(file, call, "begun")

    def release(self, call: Call, offers: bytes, seed: bytes) -> None:
        """Before the masked update leaves; keeps the seed of the site's own mask for `open`.

        Raises:
            GuardError: the attempt was not begun here, or its masked update has been made before.
        """
        with self._locked() as (file, rows):
            steps = [row["step"] for row in rows if row["call"] == call.hash.hex()]
            if steps != ["begun"]:
                raise GuardError("mask-used", "this attempt's masks were used already, or never made")
            _write(file, call, "released", offers=offers.hex(), seed=seed.hex())

    def open(self, call: Call, complete: Complete, site: str) -> Opening:
        """Before the opening leaves; the same again after a crash, and for one attempt alone.

        Raises:
            GuardError: nothing was released for it, or another attempt of this round, or another round
                from this model, was opened.
        """
        with self._locked() as (file, rows):
            released = [r for r in rows if r["call"] == call.hash.hex() and r["step"] == "released"]
            if not released or (complete.call, complete.offers.hex()) != (call.hash, released[0]["offers"]):
                raise GuardError("mask-opening", "this site released no masked update of this attempt")
            for row in rows:
                if row["step"] != "opened" or row["campaign"] != call.campaign.hex():
                    continue
                if row["call"] == call.hash.hex():
                    break
                if row["round_number"] == call.round_number or row["model"] == call.model.hex():
                    raise GuardError(
                        "mask-opening",
                        f"attempt {row['attempt']} of round {row['round_number']} was opened from this "
                        "model or in this round; a second sum could show one site's update",
                    )
            else:
                _write(file, call, "opened")
            return Opening(site, call.hash, bytes.fromhex(released[0]["seed"]))

    @contextmanager
    def _locked(self) -> Iterator[tuple[IO[bytes], list[dict[str, Any]]]]:
        """The file, held alone, and its rows; a last line that a crash cut short is taken away."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            raw = file.read()
            whole = raw[: raw.rfind(b"\n") + 1]
            if len(whole) < len(raw):  # never on disk, so nothing left on its account
                file.truncate(len(whole))
            try:
                rows = [json.loads(line) for line in whole.splitlines()]
                for row in rows:
                    _ = (row["campaign"], row["round_number"], row["attempt"], row["call"], row["step"])
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    self.path, "masks", "a line that this program did not write",
                    "restore the file; without it this site could use a mask twice",
                ) from None  # fmt: skip
            file.seek(len(whole))
            yield file, rows


def _write(file: IO[bytes], call: Call, step: str, **more: str) -> None:
    row = {
        "campaign": call.campaign.hex(),
        "round_number": call.round_number,
        "attempt": call.attempt,
        "model": call.model.hex(),
        "call": call.hash.hex(),
        "step": step,
        **more,
    }
    file.write(json.dumps(row, sort_keys=True).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())
