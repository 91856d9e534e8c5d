"""What else was asked of our model: jobs of one kind, its reasons, training at home, and the simulation."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring.page import write_between
from benchmarks.real.running.material import KEPT, MODEL_PAGE, bench_of, say, seeds_of, sets_of
from benchmarks.real.sets import default_folder
from benchmarks.real.table import Summary, mean_of, side_by_side, summarize
from cryofed.errors import InputError

if TYPE_CHECKING:
    from benchmarks.real.doubt import Doubted

SIMULATED_SEED = 301  # of the corpus that the release learnt from


def one_kind(options: argparse.Namespace) -> int:
    """Real sets: jobs of nothing but junk, and of nothing but good classes."""
    from benchmarks.real.one_kind import alone, single, table
    from benchmarks.real.ours import left_out

    bench, runs, singles = bench_of(options), [], []
    for seed in seeds_of(options):
        told = left_out(bench, [seed])
        runs.append(alone(bench, told, seed))
        singles += single(bench, told, seed)
    return _tell(options, "one-kind", table(runs, singles))


def one_kind_relion(options: argparse.Namespace) -> int:
    """RELION's jobs: the same, where the truth is known."""
    from benchmarks.real.one_kind import relion_table

    data = default_folder()
    if data is None:
        raise InputError("shared data", "folder", "absent", "RELION's jobs with truth are needed")
    return _tell(options, "one-kind-relion", relion_table(data))


def all_junk(options: argparse.Namespace) -> int:
    """Jobs of nothing but junk, as RELION makes them."""
    from benchmarks.real.all_junk import kept, table

    return _tell(options, "all-junk", table(kept(options.jobs)))


def doubt(options: argparse.Namespace) -> int:
    """Which jobs the model doubts, with one molecule left out and with half of them."""
    from benchmarks.real.doubt import doubted, table
    from benchmarks.real.folds import HALVES
    from benchmarks.real.ours import answers_of, left_out, real_left_out

    bench = bench_of(options)
    ways = {"one molecule": left_out, "half of them": partial(real_left_out, folds=HALVES)}
    found: dict[str, list[Sequence[Doubted]]] = {way: [] for way in ways}
    runs: dict[str, list[Summary]] = {way: [] for way in ways}
    for way, judge in ways.items():
        for seed in seeds_of(options):
            told = judge(bench, [seed])
            found[way].append(doubted(bench, told, seed))
            runs[way].append(summarize(bench.sets, answers_of(told)))
    beside = side_by_side({f"{way} left out": mean_of(of) for way, of in runs.items()})
    return _tell(options, "doubt", f"{table(found)}\n\n{beside}")


def reasons(options: argparse.Namespace) -> int:
    """Are the reasons right?"""
    from benchmarks.real.ours import left_out
    from benchmarks.real.reasons import given, table

    bench = bench_of(options)
    found = [one for seed in seeds_of(options) for one in given(bench, left_out(bench, [seed]), seed)]
    return _tell(options, "reasons", table(found))


def home(options: argparse.Namespace) -> int:
    """Does training at home help?"""
    import torch

    from benchmarks.real.home import CHOSEN, each_lab, figures, table

    torch.set_num_threads(1)
    bench = bench_of(options)
    found = figures(bench, seeds_of(options), options.kept / "home", say)
    return _tell(
        options, "home", f"{table(found)}\n\n`{CHOSEN}`, by laboratory:\n\n{each_lab(found, CHOSEN)}"
    )


def rings(options: argparse.Namespace) -> int:
    """Power by ring: does the simulation look like the real sets?"""
    from benchmarks.real.rings import of_sets, table, write_recorded
    from cryofed.learning.corpus import gather
    from cryofed.simulation.corpus import corpus

    if options.record:
        write_recorded(of_sets(sets_of(options)))
    return _tell(options, "rings", table(gather(corpus(options.jobs, SIMULATED_SEED))))


def _tell(options: argparse.Namespace, mark: str, made: str) -> int:
    print(made)
    if options.write:
        write_between(MODEL_PAGE, {mark: made})
    return 0


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands' words; all take the trainings that `ours` kept."""
    for name, run, seeds, help_text in (
        ("one-kind", one_kind, "1,2,3", "jobs of nothing but bad classes, and of nothing but good ones"),
        ("reasons", reasons, "1,2,3", "are the reasons of rejected classes right?"),
        ("doubt", doubt, "1,2,3", "which jobs the model doubts, and how it does with half of the molecules"),
        ("home", home, "2", "does `cryofed train` help a laboratory's next job?"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("--begin", help=argparse.SUPPRESS, default=None)
        command.add_argument("--kept", type=Path, default=KEPT, help=f"where trainings are kept ({KEPT})")
        command.add_argument("--seeds", default=seeds, help=f"with commas (default {seeds})")
        command.add_argument("--write", action="store_true", help=f"the table into {MODEL_PAGE.name}")
        command.set_defaults(run=run)
    command = commands.add_parser("one-kind-relion", help="the same of RELION's jobs, whose truth is known")
    command.add_argument("--write", action="store_true", help=f"the table into {MODEL_PAGE.name}")
    command.set_defaults(run=one_kind_relion)
    command = commands.add_parser("all-junk", help="RELION's jobs of nothing but junk, by the shipped model")
    command.add_argument("--jobs", type=Path, required=True, help="folder of simulate jobs --junk-share 1")
    command.add_argument("--write", action="store_true", help=f"the table into {MODEL_PAGE.name}")
    command.set_defaults(run=all_junk)
    command = commands.add_parser("rings", help="power by ring: the simulation beside the real sets")
    command.add_argument("--record", action="store_true", help="measure the real sets anew, into rings.tsv")
    command.add_argument("--jobs", type=int, default=50, help="simulated jobs (50)")
    command.add_argument("--write", action="store_true", help=f"the table into {MODEL_PAGE.name}")
    command.set_defaults(run=rings)
