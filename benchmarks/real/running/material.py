"""What the commands share: the sets, the trainings that are kept, the pages that tables are written into."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.real.page import PAGE
from benchmarks.real.sets import RealSet, default_folder, missing_sets, read_sets
from cryofed.errors import InputError

if TYPE_CHECKING:
    from benchmarks.real.ours import Bench

KEPT = Path(os.environ.get("CRYOFED_BENCH_CACHE", "build")) / "bench-real"
SHIPPED_SEED = 2  # the middle one of three by mean AUC, not the best
README = PAGE.parents[1] / "README.md"
MODEL_PAGE, FEDERATION_PAGE, SELECTING_PAGE = (
    PAGE.with_name(name) for name in ("model.md", "real-federation.md", "selecting.md")
)


def sets_of(options: argparse.Namespace) -> list[RealSet]:
    """The sets of the folder that was typed, or of the development data; what is missing is said."""
    folder = options.sets or default_folder()
    remedy = "build the sets first: python -m benchmarks real build --out DIR, then real --sets DIR"
    if folder is None:
        raise InputError("--sets", "folder", "none given, and no development data", remedy)
    sets = read_sets(folder)
    if not sets:
        raise InputError(folder, "--sets", "no set", remedy)
    for name, why in missing_sets(folder).items():
        print(f"skipped {name}: {why}", file=sys.stderr)
    return sets


def bench_of(options: argparse.Namespace) -> Bench:
    """The trainings' material; what is trained already needs no beginning."""
    import torch

    from benchmarks.real.ours import Bench
    from benchmarks.real.release import beginning
    from cryofed.learning.learner import initial_vector

    torch.set_num_threads(1)  # the same bits on every machine; beside other work several threads are slower
    data = default_folder()
    if data is None:
        raise InputError("shared data", "folder", "absent", "RELION's jobs with truth are needed to train")
    begin = beginning(options.begin) if options.begin else initial_vector(0)
    options.kept.mkdir(parents=True, exist_ok=True)
    return Bench(sets_of(options), data, begin, options.kept)


def seeds_of(options: argparse.Namespace) -> list[int]:
    """The seeds that were typed.

    Raises:
        InputError: one is no whole number of 1 or more.
    """
    words = str(options.seeds).split(",")
    for word in words:
        if not word.isdecimal() or int(word) < 1:
            raise InputError("--seeds", "number", word, "give 1 or more, several with commas")
    return [int(word) for word in words]


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)
