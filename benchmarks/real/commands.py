"""`python -m benchmarks real [COMMAND]`, the benchmark on real class averages: see docs/benchmark.md."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring.page import write_between
from benchmarks.real.build import build
from benchmarks.real.page import PAGE, sources_table
from benchmarks.real.programs import product, read_scores, rule, write_scores
from benchmarks.real.sets import RealSet, default_folder, missing_sets, read_sets
from benchmarks.real.sources import sources
from benchmarks.real.table import Answer, Summary, each_set, markdown, mean_of, side_by_side, summarize
from cryofed.errors import CryoFedError, InputError
from cryofed.jobs.job import ClassJob

SEED = re.compile(r"-seed\d+$")
KEPT = Path(os.environ.get("CRYOFED_BENCH_CACHE", "build")) / "bench-real"
SHIPPED_SEED = 2  # the middle one of three by mean AUC, not the best
README = PAGE.parents[1] / "README.md"
MODEL_PAGE, FEDERATION_PAGE = (PAGE.with_name(name) for name in ("model.md", "real-federation.md"))
if TYPE_CHECKING:
    from benchmarks.real.ours import Bench

AS_IT_IS = "as it is, not leave-one-molecule-out: sets that a model was trained on, or chosen by, flatter it"


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
    command = commands.add_parser("compare", help="the scores of several programs beside each other")
    command.add_argument(
        "scores", type=Path, nargs="+", help="TSV files; NAME-seed1.tsv, NAME-seed2.tsv are averaged"
    )
    command.set_defaults(run=_compare)
    command = commands.add_parser("peers", help="train the peers' shapes, leaving one molecule out at a time")
    command.add_argument("--shards", type=Path, help="folder of simulated averages (default: simulated here)")
    command.add_argument("--jobs", type=int, default=200, help="simulated jobs (200)")
    command.add_argument(
        "--steps", type=int, default=600, help="training steps with simulated averages alone (600)"
    )
    command.add_argument("--further", type=int, default=150, help="steps with all, for each fold (150)")
    command.add_argument("--seeds", type=int, default=1, help="trainings that differ in the seed alone (1)")
    command.set_defaults(run=_peers)
    for name, run, help_text in (
        ("ours", _ours, "our own model, leave-one-molecule-out; trains what is missing"),
        ("release", _release, "the model that is shipped, from the same trainings"),
        ("federation", _federation, "does federation pay on real images?"),
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
        "rule": summarize(sets, _answers(sets, rule)),
        "shipped model": summarize(sets, _answers(sets, product)),
        **_kept_scores(sorted(KEPT.glob("*.tsv")), sets),
    }
    print(f"The shipped model {AS_IT_IS}.\n\n{side_by_side(programs)}\n\n{each_set(programs)}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    programs = _kept_scores(options.scores, _sets(options))
    print(f"{side_by_side(programs)}\n\n{each_set(programs)}")
    return 0


def _kept_scores(paths: Sequence[Path], sets: Sequence[RealSet]) -> dict[str, Summary]:
    """Files of scores by program; several seeds of one program are averaged."""
    runs: dict[str, list[Mapping[str, Answer]]] = {}
    for path in paths:
        answers, others = read_scores(path, sets), runs.setdefault(SEED.sub("", path.stem), [])
        if others and set(others[0]) != set(answers):
            raise InputError(
                path, "set", "other sets than another seed's", "score the same sets with every seed"
            )
        others.append(answers)
    return {name: mean_of([summarize(sets, run) for run in of]) for name, of in runs.items()}


def _peers(options: argparse.Namespace) -> int:
    import torch

    from benchmarks.real.material import digest, material
    from benchmarks.real.peers import Course, judge_peers

    for name in ("jobs", "steps", "further", "seeds"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name}", "number", str(getattr(options, name)), "give 1 or more")
    data = default_folder()
    if data is None:
        raise InputError("peers", "RELION jobs", "no development data", "set CRYOFED_SHARED to where it is")
    torch.set_num_threads(1)
    sets = _sets(options)
    learnt_from = material(sets, options.jobs, options.shards, data)
    folder, written = KEPT / f"peers-{digest(learnt_from)}", []
    for seed in range(1, options.seeds + 1):
        course = Course(steps=options.steps, further=options.further, seed=seed)
        for name, answers in judge_peers(sets, learnt_from, course, folder, _say):
            written.append(KEPT / f"{name}-seed{seed}.tsv")
            write_scores(written[-1], sets, answers)
            _say(f"wrote {written[-1]}")
    programs = _kept_scores(written, sets)
    print(f"{side_by_side(programs)}\n\n{each_set(programs)}")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


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


def _ours(options: argparse.Namespace) -> int:
    from benchmarks.real.mistakes import write_sheets
    from benchmarks.real.ours import answers_of, left_out, relion_line, write_for_clicks

    bench, seeds = _bench(options), _seeds(options)
    sets, runs, lines = bench.sets, {}, []
    for seed in seeds:
        told = left_out(bench, [seed])
        answers = answers_of(told)
        runs[f"seed {seed}"] = summarize(sets, answers)
        lines.append(f"Seed {seed}: {relion_line(told, answers)}.")
        write_scores(KEPT / f"ours-seed{seed}.tsv", sets, answers)
        if seed == SHIPPED_SEED:
            write_for_clicks(bench, told, [seed], options.kept / "clicks")
            if options.sheets:
                print(f"wrote {len(write_sheets(told, answers, options.sheets))} sheets to {options.sheets}")
    mean = mean_of(list(runs.values()))
    programs = {"rule: variance inside over outside": summarize(sets, _answers(sets, rule)), **runs}
    if len(seeds) > 1:
        programs["weights averaged over the seeds"] = summarize(sets, answers_of(left_out(bench, seeds)))
        programs["mean of the seeds"] = mean
    relion = "\n\n".join(lines)
    print(f"{markdown(mean)}\n\n{relion}\n\n{side_by_side(programs)}")
    if options.write:
        write_between(README, {"quality": _quality(sets, mean, lines[0])})
        write_between(
            MODEL_PAGE, {"left-out": f"{markdown(mean)}\n\n{relion}", "seeds": side_by_side(programs)}
        )
    return 0


def _quality(sets: Sequence[RealSet], mean: Summary, line: str) -> str:
    """README's table: a line for each kind of judge, and the worst."""
    share = {f: f"{mean.mean(f):.0%}".replace("%", " %") for f in ("good_kept", "bad_rejected")}
    worst, name = mean.worst("auc")
    least, of = mean.worst("good_kept")
    weak, weakest = mean.worst("bad_rejected")
    return "\n".join(
        [
            "| judged on | AUC | good classes kept | bad classes rejected |",
            "|---|---:|---:|---:|",
            f"| {len(sets)} sets of real averages, mean | {mean.mean('auc'):.3f} | {share['good_kept']} "
            f"| {share['bad_rejected']} |",
            f"| the worst of them | {worst:.3f} ({name}) | {least:.0%} ({of}) | {weak:.0%} ({weakest}) |",
            f"| all {mean.together.n_good + mean.together.n_bad} classes on one scale "
            f"| {mean.together.auc:.3f} | {mean.together.good_kept:.0%} | {mean.together.bad_rejected:.0%} |",
            "",
            line,
        ]
    )


def _release(options: argparse.Namespace) -> int:
    from benchmarks.real.ours import left_out
    from benchmarks.real.release import write_release

    if options.begin is None:
        raise InputError("--begin", "weights", "none given", "name the weights that the trainings began with")
    bench, seeds = _bench(options), [SHIPPED_SEED]
    write_release(bench, left_out(bench, seeds), options.out, seeds)
    print(f"wrote model.onnx, weights.safetensors and card.json to {options.out}")
    return 0


def _federation(options: argparse.Namespace) -> int:
    from benchmarks.real.federation import federations, key_of, plot, sites_table, table

    bench, seeds = _bench(options), _seeds(options)
    start = bench.vector("start", 1)
    found = federations(bench.sets, start, seeds, options.kept / key_of(start), print)
    made = f"{table(bench.sets, found)}\n\n{sites_table(bench.sets, found)}"
    print(made)
    if options.write:
        for dark, name in ((False, "light"), (True, "dark")):
            plot(bench.sets, found, PAGE.with_name("images") / f"real-federation-{name}.svg", dark=dark)
        write_between(FEDERATION_PAGE, {"real": made})
    return 0


def _bench(options: argparse.Namespace) -> Bench:
    """The trainings' material; what is trained already needs no beginning."""
    from benchmarks.real.ours import Bench
    from benchmarks.real.release import beginning
    from cryofed.learning.learner import initial_vector

    data = default_folder()
    if data is None:
        raise InputError("shared data", "folder", "absent", "RELION's jobs with truth are needed to train")
    begin = beginning(options.begin) if options.begin else initial_vector(0)
    options.kept.mkdir(parents=True, exist_ok=True)
    return Bench(_sets(options), data, begin, options.kept)


def _seeds(options: argparse.Namespace) -> list[int]:
    return [int(word) for word in options.seeds.split(",")]


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
