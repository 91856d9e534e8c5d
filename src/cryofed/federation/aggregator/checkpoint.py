"""What a campaign must not lose: the state after the last round, and the report that belongs to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cryofed.disk.arrays import read_arrays, write_arrays
from cryofed.disk.documents import read_document, write_document
from cryofed.disk.lines import append_line, read_lines
from cryofed.disk.whole import write_whole
from cryofed.errors import FederationError, InputError
from cryofed.federation.strategies.strategy import State
from cryofed.learning.vector import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A campaign between two rounds."""

    state: State
    previous: Vector  # the common model before the last round: what its updates are changes of
    identity: Mapping[str, str]  # hashes of plan, layout and starting model
    aucs: tuple[float | None, ...] = ()  # per closed round, of the model that it started from
    stopped: str = ""  # why the rounds ended before their count
    report: Mapping[str, Any] = field(default_factory=dict)  # of the last round

    def after(self, state: State, report: Mapping[str, Any], patience: int) -> Progress:
        """One round later."""
        aucs = (*self.aucs, report["auc"])
        stopped = "no_gain" if _no_gain(aucs, patience) else ""
        previous = self.state.vector
        return replace(self, state=state, previous=previous, report=report, aucs=aucs, stopped=stopped)


def _no_gain(aucs: tuple[float | None, ...], patience: int) -> bool:
    known = [-1.0 if auc is None else auc for auc in aucs]
    return patience > 0 and len(known) - 1 - known.index(max(known)) >= patience


def save_progress(path: Path, progress: Progress) -> None:
    """Replace the checkpoint in one step."""
    memory = {f"memory/{name}": array for name, array in progress.state.memory.items()}
    header = {
        "round_number": progress.state.round_number,
        "identity": dict(progress.identity),
        "aucs": list(progress.aucs),
        "stopped": progress.stopped,
        "report": dict(progress.report),
    }
    write_arrays(path, {"vector": progress.state.vector, "previous": progress.previous, **memory}, header)


def load_progress(path: Path, identity: Mapping[str, str]) -> Progress | None:
    """The checkpoint, None where there is none; its vectors are read-only memory maps.

    Raises:
        FederationError: it is of another plan, layout or starting model.
    """
    if not path.exists():
        return None
    arrays, header = read_arrays(path)
    for part, value in header["identity"].items():
        if value != identity[part]:
            raise FederationError(
                f"{path}: made with another {part} ({value[:12]}, not {identity[part][:12]}); "
                "give this run a folder of its own, or restore what it was begun with"
            )
    memory = {
        name.removeprefix("memory/"): array for name, array in arrays.items() if name.startswith("memory/")
    }
    state = State(vector=arrays["vector"], memory=memory, round_number=header["round_number"])
    return Progress(
        state=state,
        previous=arrays["previous"],
        identity=identity,
        aucs=tuple(header["aucs"]),
        stopped=header["stopped"],
        report=header["report"],
    )


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts at one round: a resumed run repeats the one that was killed, so that it draws the same."""

    round_number: int
    current: int = 0  # the attempt that runs, from 1; 0 before the first
    given_up: int = 0  # attempts of earlier runs, which ended without a quorum

    def next(self, round_number: int) -> Attempts:
        """The next attempt, which for another round is the first."""
        same = self if round_number == self.round_number else Attempts(round_number)
        return replace(same, current=same.current + 1)

    @property
    def own(self) -> int:
        """Attempts of this run."""
        return self.current - self.given_up


def save_attempts(path: Path, attempts: Attempts) -> None:
    """Written for second and later attempts; a first one needs no file."""
    write_document(path, asdict(attempts))


def load_attempts(path: Path, round_number: int) -> Attempts:
    """The attempts that are over; the one that was killed is not."""
    if path.exists():
        try:
            known = Attempts(**read_document(path))
        except (InputError, TypeError):
            raise InputError(
                path, "content", "not readable", "remove this file; the round begins anew"
            ) from None
        if known.round_number == round_number:
            return replace(known, current=max(known.current - 1, known.given_up))
    return Attempts(round_number)


def repair_report(path: Path, progress: Progress) -> None:
    """Make the report end with the checkpoint's round: a crash may have come between the two."""
    lines = read_lines(path)
    kept = [line for line in lines if line["round"] <= progress.state.round_number]
    if path.exists():
        whole = "".join(json.dumps(line, sort_keys=True) + "\n" for line in kept).encode()
        if whole != path.read_bytes():
            write_whole(path, whole)
    if progress.report and (not kept or kept[-1]["round"] < progress.state.round_number):
        append_line(path, progress.report)
