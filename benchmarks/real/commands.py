"""`python -m benchmarks real [build | rule | shipped | score | peers | sources]`; see docs/benchmark.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.measuring.page import write_between
from benchmarks.real.build import build
from benchmarks.real.page import PAGE, sources_table
from benchmarks.real.programs import product, read_scores, rule, write_scores
from benchmarks.real.sets import RealSet, default_folder, missing_sets, read_sets
from benchmarks.real.sources import sources
from benchmarks.real.table import Answer, Summary, each_set, markdown, side_by_side, summarize
from cryofed.errors import CryoFedError, InputError
from cryofed.jobs.job import ClassJob

AS_IT_IS = "as it is, not leave-one-molecule-out: sets that a model was trained on, or chosen by, flatter it"


def main(words: Sequence[str] = ()) -> int:
    """Run one command of the benchmark; without one: the rule and the shipped model beside each other."""
    options = _parser().parse_args(words)
    try:
        return int(options.run(options))
    except CryoFedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks real", description=__doc__)
    parser.add_argument("--sets", type=Path, help="folder that build wrote (default: the development data)")
    parser.set_defaults(run=_all)
    commands = parser.add_subparsers(metavar="COMMAND")
    command = commands.add_parser("build", help="build the sets from their public sources")
    command.add_argument(
        "--out", type=Path, required=True, help="folder to write NAME.mrcs and NAME.tsv into"
    )
    command.add_argument(
        "--mirror", type=Path, help="folder of bare clones OWNER+NAME; nothing is fetched then"
    )
    command.add_argument("--only", default="", help="names of sets, with commas")
    command.set_defaults(run=_build)
    command = commands.add_parser("rule", help="the one-line rule")
    command.set_defaults(run=_rule)
    command = commands.add_parser("shipped", help="a model file through score_job and decide, as it is")
    command.add_argument("--model", type=Path, help="model.onnx (default: the shipped one)")
    command.add_argument("--scores", type=Path, help="write the scores into this TSV as well")
    command.set_defaults(run=_shipped)
    command = commands.add_parser("score", help="the scores of any program")
    command.add_argument(
        "--scores", type=Path, required=True, help="TSV: set, class_number, score, perhaps kept"
    )
    command.set_defaults(run=_score)
    command = commands.add_parser("sources", help="the table of the sources")
    command.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    command.set_defaults(run=_sources)
    return parser


def _build(options: argparse.Namespace) -> int:
    names = frozenset(name for name in options.only.split(",") if name)
    unknown = names - {source.name for source in sources()}
    if unknown:
        raise InputError("--only", "set", ", ".join(sorted(unknown)), f"give names of {PAGE.name}")
    if options.mirror is not None and not options.mirror.is_dir():
        raise InputError(
            options.mirror, "--mirror", "no such folder", "give a folder of bare clones OWNER+NAME"
        )
    written, failed = 0, 0
    for built in build(options.out, options.mirror, names):
        if built.skipped:
            expected = next(source.not_rebuilt for source in sources() if source.name == built.name)
            failed += not expected
            print(f"{built.name}: {'not rebuilt' if expected else 'error'}: {built.skipped}", flush=True)
        else:
            written += 1
            same = (
                "the very pixels of the table"
                if built.same_pixels
                else "pixels differ by rounding from the table's"
            )
            print(f"{built.name}: {same}", flush=True)
    print(f"wrote {written} sets to {options.out}" + (f"; {failed} could not be built" if failed else ""))
    return 1 if failed else 0


def _all(options: argparse.Namespace) -> int:
    sets = _sets(options)
    programs = {
        "rule: variance inside over outside": summarize(sets, _answers(sets, rule)),
        "shipped model": summarize(sets, _answers(sets, product)),
    }
    print(f"The model {AS_IT_IS}.\n\n{side_by_side(programs)}\n\n{each_set(programs)}")
    return 0


def _rule(options: argparse.Namespace) -> int:
    sets = _sets(options)
    return _tell("Variance inside the circle over that outside it.", summarize(sets, _answers(sets, rule)))


def _shipped(options: argparse.Namespace) -> int:
    sets = _sets(options)
    answers = _answers(sets, lambda job: product(job, options.model))
    if options.scores:
        write_scores(options.scores, sets, answers)
    name = options.model or "The shipped model"
    return _tell(f"{name}, {AS_IT_IS}.", summarize(sets, answers))


def _score(options: argparse.Namespace) -> int:
    sets = _sets(options)
    answers = read_scores(options.scores, sets)
    missing = [of.name for of in sets if of.name not in answers]
    if missing:
        print(f"no scores of {', '.join(missing)}: these sets are left out", file=sys.stderr)
    return _tell(f"{options.scores.name}", summarize(sets, answers))


def _sources(options: argparse.Namespace) -> int:
    if options.write:
        write_between(PAGE, {"sources": sources_table()})
    else:
        print(sources_table())
    return 0


def _sets(options: argparse.Namespace) -> list[RealSet]:
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


def _answers(sets: Sequence[RealSet], program: Callable[[ClassJob], Answer]) -> Mapping[str, Answer]:
    return {of.name: program(of.job) for of in sets}


def _tell(title: str, summary: Summary) -> int:
    print(f"{title}\n\n{markdown(summary)}")
    return 0
