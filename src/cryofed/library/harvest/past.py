"""What a walk through a project finds: a selection that somebody made, or a reason to pass by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import CryoFedError, InputError
from cryofed.jobs.job import ClassJob
from cryofed.library.labels import Labelling


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSelection:
    """An expert's selection of classes of one 2D classification.

    `source` is the folder of the selection, `job` what `open_job` takes. `values` are labels by class
    number in the scale of `habit`; `others` is the label of every class that is not named there. `whole`:
    the selection has a label for each class, so it must have as many as the job has classes.
    """

    project: str
    source: Path
    job: Path
    made_at: str  # ISO 8601, UTC
    habit: str
    values: Mapping[int, float]
    others: float
    job_score: float = 1.0
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A selection that teaches nothing, and why."""

    project: str
    source: Path
    reason: str


Found = PastSelection | Passed


def why(error: Exception) -> str:
    """Why something is passed by, in one line."""
    if isinstance(error, CryoFedError):
        return str(error)
    said = (str(error).splitlines() or [""])[0][:160]
    return f"cannot be read ({type(error).__name__}: {said})"


def labelling(past: PastSelection, job: ClassJob) -> Labelling:
    """The selection in the order of the job's classes; classes without particles get no label.

    Raises:
        InputError: the selection speaks of other classes than the job has, or is no judgement at all.
    """
    numbers = job.classes.number.tolist()
    strange = set(past.values) - set(numbers)
    if strange:
        found = f"class {min(strange)}, the classification has {len(numbers)} classes"
        raise InputError(past.source, "selection", found, "the two do not belong together")
    if past.whole and len(past.values) != len(numbers):
        found = f"{len(past.values)} labels for {len(numbers)} classes"
        raise InputError(past.source, "selection", found, "the two do not belong together")
    values = np.array([past.values.get(number, past.others) for number in numbers], np.float32)
    values[job.classes.particles == 0] = np.nan
    _check_judgement(past, values)
    return Labelling(
        habit=past.habit,
        values=values,
        source=str(past.source),
        made_at=past.made_at,
        job_score=past.job_score,
    )


def _check_judgement(past: PastSelection, values: NDArray[np.float32]) -> None:
    said = values[np.isfinite(values)]
    if len(said) and said.min() < said.max():
        return
    if not len(said):
        found = "no class with particles has a label"
    elif past.habit in ("binary", "relion-colour"):
        found = "every class is kept" if said[0] else "no class is kept"
    else:
        found = "every class has the same label"
    raise InputError(past.source, "selection", found, "it tells nothing about good and bad")
