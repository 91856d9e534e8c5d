"""`python -m benchmarks real [COMMAND]`, the benchmark on real class averages: see docs/benchmark.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.real.page import PAGE
from benchmarks.real.running.building import build_sets, tell_sources
from benchmarks.real.running.findings import add_to
from benchmarks.real.running.judging import compare, judge_all, judge_model, judge_rule, judge_scores
from benchmarks.real.running.material import KEPT
from benchmarks.real.running.published import published
from benchmarks.real.running.training import federation, joining, ours, peers, policies, release
from cryofed.errors import CryoFedError


def main(words: Sequence[str] = ()) -> int:
    """Run one command; without one: the rule, the shipped model and all kept scores beside each other."""
    options = _parser().parse_args(words)
    try:
        return int(options.run(options))
    except CryoFedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks real", description=__doc__)
    parser.add_argument("--sets", type=Path, help="folder that build wrote (default: the development data)")
    parser.set_defaults(run=judge_all)
    commands = parser.add_subparsers(metavar="COMMAND")
    command = commands.add_parser("build", help="build the sets from their public sources")
    command.add_argument(
        "--out", type=Path, required=True, help="folder to write NAME.mrcs and NAME.tsv into"
    )
    command.add_argument(
        "--mirror", type=Path, help="folder of bare clones OWNER+NAME; nothing is fetched then"
    )
    command.add_argument("--only", default="", help="names of sets, with commas")
    command.set_defaults(run=build_sets)
    command = commands.add_parser("rule", help="the one-line rule")
    command.set_defaults(run=judge_rule)
    command = commands.add_parser("shipped", help="a model file through score_job and decide, as it is")
    command.add_argument("--model", type=Path, help="model.onnx (default: the shipped one)")
    command.add_argument("--scores", type=Path, help="write the scores into this TSV as well")
    command.set_defaults(run=judge_model)
    command = commands.add_parser("score", help="the scores of any program")
    command.add_argument(
        "--scores", type=Path, required=True, help="TSV: set, class_number, score, perhaps kept"
    )
    command.set_defaults(run=judge_scores)
    command = commands.add_parser("compare", help="the scores of several programs beside each other")
    command.add_argument(
        "scores", type=Path, nargs="+", help="TSV files; NAME-seed1.tsv, NAME-seed2.tsv are averaged"
    )
    command.set_defaults(run=compare)
    command = commands.add_parser("published", help="README's table and the model page's, from kept scores")
    command.add_argument("--write", action="store_true", help="the tables into their pages")
    command.set_defaults(run=published)
    command = commands.add_parser("peers", help="train the peers' shapes, leaving one molecule out at a time")
    command.add_argument("--shards", type=Path, help="folder of simulated averages (default: simulated here)")
    command.add_argument("--jobs", type=int, default=200, help="simulated jobs (200)")
    command.add_argument(
        "--steps", type=int, default=600, help="training steps with simulated averages alone (600)"
    )
    command.add_argument("--further", type=int, default=150, help="steps with all, for each fold (150)")
    command.add_argument("--seeds", default="1,2,3", help="with commas (default 1,2,3)")
    command.add_argument("--shapes", default="", help="names, with commas (default: all)")
    command.add_argument("--write", action="store_true", help="the scores into this repository")
    command.set_defaults(run=peers)
    for name, run, help_text in (
        ("ours", ours, "our own model, leave-one-molecule-out; trains what is missing"),
        ("release", release, "the model that is shipped, from the same trainings"),
        ("policies", policies, "what each policy with a name loses and rejects"),
        ("federation", federation, "does federation pay on real images?"),
        ("joining", joining, "what a few labs make of a model that is good already"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("--begin", type=Path, help="weights.safetensors that trainings begin with")
        command.add_argument("--kept", type=Path, default=KEPT, help=f"where trainings are kept ({KEPT})")
        command.add_argument("--seeds", default="1,2,3", help="with commas (default 1,2,3)")
        command.set_defaults(run=run)
        if name == "ours":
            command.add_argument("--sheets", type=Path, help="folder for contact sheets of wrong decisions")
        if name == "release":
            command.add_argument("--out", type=Path, required=True, help="folder of the model")
        else:
            command.add_argument("--write", action="store_true", help="the table into its page")
    add_to(commands)
    command = commands.add_parser("sources", help="the table of the sources")
    command.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    command.set_defaults(run=tell_sources)
    return parser
