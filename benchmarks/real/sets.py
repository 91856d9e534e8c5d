"""Read the sets of the benchmark from a folder: averages, labels, and what may be done with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.judging.sets import shared_data
from benchmarks.real.sources import Source, labels, sources
from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob
from cryofed.jobs.opening import open_job

PLACES = ("", "class_averages_mixed", "class_averages")  # folders of the development data


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """What is known of a set without its pictures: labels, molecule, and what may be done with it.

    `good` and `counted` `(n,)` in class order; classes that nobody can settle are not counted. Sets of one
    `molecule` are left out together. `training`: may be trained on. `demonstration`: labels of a screenshot
    that shows how to select, not what is good.
    """

    name: str
    molecule: str
    good: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    training: bool
    demonstration: bool
    negative_stain: bool
    grey: str  # "job", "class", "written", "unknown"; see sources.toml
    labelled_by: str

    def __len__(self) -> int:
        return len(self.good)

    @property
    def n_good(self) -> int:
        """Counted classes that an expert keeps."""
        return int((self.good & self.counted).sum())

    @property
    def n_bad(self) -> int:
        """Counted classes that an expert rejects."""
        return int((~self.good & self.counted).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class RealSet(LabelledSet):
    """One set of real averages, images alone: no particle counts, no resolution."""

    job: ClassJob


def labelled_sets() -> list[LabelledSet]:
    """Every set of the benchmark, in the order of sources.toml. No picture is needed."""
    return [LabelledSet(**_known(source)) for source in sources()]


def read_sets(folder: Path) -> list[RealSet]:
    """Every set that is in `folder`, in the order of sources.toml.

    `folder`: what `build` wrote, or the development data with its folders of class averages. What is not
    there is left out; `missing_sets` says which.

    Raises:
        InputError: a stack is damaged, or has another number of classes than its labels.
    """
    found = ((source, _stack(folder, source)) for source in sources())
    return [_read(source, path) for source, path in found if path is not None]


def missing_sets(folder: Path) -> Mapping[str, str]:
    """The sets that are not in `folder`, each with what to do."""
    return {
        source.name: f"not rebuilt: {source.not_rebuilt}" if source.not_rebuilt else "build it"
        for source in sources()
        if _stack(folder, source) is None
    }


def default_folder() -> Path | None:
    """The development data; None where it is absent."""
    return shared_data()


def molecules(sets: Sequence[RealSet]) -> dict[str, list[RealSet]]:
    """The sets by molecule: what is left out together."""
    return {
        name: [of for of in sets if of.molecule == name] for name in dict.fromkeys(of.molecule for of in sets)
    }


def may_train(sets: Sequence[RealSet], left_out: str) -> list[RealSet]:
    """The sets of other molecules than `left_out` that may be trained on."""
    return [of for of in sets if of.training and of.molecule != left_out]


def _stack(folder: Path, source: Source) -> Path | None:
    paths = (folder / place / f"{source.name}.mrcs" for place in PLACES)
    return next((path for path in paths if path.is_file()), None)


def _read(source: Source, path: Path) -> RealSet:
    job, of = open_job(path), labels()[source.name]
    if len(job.classes) != len(of):
        found = f"{len(job.classes)} averages for {len(of)} labels"
        raise InputError(path, "stack", found, f"build {source.name} again")
    return RealSet(job=job, **_known(source))


def _known(source: Source) -> dict[str, Any]:
    of = labels()[source.name]
    return {
        "name": source.name,
        "molecule": source.molecule,
        "good": of.good,
        "counted": of.counted,
        "training": source.training,
        "demonstration": source.demonstration,
        "negative_stain": source.negative_stain,
        "grey": source.grey,
        "labelled_by": source.labelled_by,
    }
