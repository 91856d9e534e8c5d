"""Train, one molecule left out at a time, and judge: our model, the peers', a federation."""

from __future__ import annotations

import argparse

from benchmarks.measuring.page import write_between
from benchmarks.real.page import PAGE
from benchmarks.real.programs import rule, write_scores
from benchmarks.real.running.judging import answers_by, kept_scores
from benchmarks.real.running.material import (
    FEDERATION_PAGE,
    KEPT,
    MODEL_PAGE,
    SELECTING_PAGE,
    SHIPPED_SEED,
    bench_of,
    say,
    seeds_of,
    sets_of,
)
from benchmarks.real.running.published import BY_ITSELF, OURS, publish
from benchmarks.real.sets import default_folder
from benchmarks.real.table import each_set, markdown, mean_of, side_by_side, summarize
from cryofed.errors import InputError


def ours(options: argparse.Namespace) -> int:
    """Our own model, leave-one-molecule-out."""
    from benchmarks.real.mistakes import write_sheets
    from benchmarks.real.ours import answers_of, by_themselves, left_out, relion_line, write_for_clicks

    bench, seeds = bench_of(options), seeds_of(options)
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
        if options.write:
            publish(f"{OURS}-seed{seed}", sets, answers)
            publish(f"{BY_ITSELF}-seed{seed}", sets, by_themselves(told))
    programs = {"rule": summarize(sets, answers_by(sets, rule)), **runs}
    if len(seeds) > 1:
        programs["weights averaged over the seeds"] = summarize(sets, answers_of(left_out(bench, seeds)))
        programs["mean of the seeds"] = mean_of(list(runs.values()))
    relion = "\n\n".join(lines)
    print(f"{markdown(list(programs.values())[-1])}\n\n{relion}\n\n{side_by_side(programs)}")
    if options.write:
        publish("rule", sets, answers_by(sets, rule))
        write_between(MODEL_PAGE, {"relion": relion})
    return 0


def peers(options: argparse.Namespace) -> int:
    """The peers' shapes under the same protocol."""
    import torch

    from benchmarks.real.material import digest, material
    from benchmarks.real.peers import SHAPES, Course, judge_peers

    for name in ("jobs", "steps", "further"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name}", "number", str(getattr(options, name)), "give 1 or more")
    seeds = seeds_of(options)
    shapes = options.shapes.split(",") if options.shapes else SHAPES
    for name in {*shapes} - {*SHAPES}:
        raise InputError("--shapes", "name", repr(name), f"choose of: {', '.join(SHAPES)}")
    data = default_folder()
    if data is None:
        raise InputError("peers", "RELION jobs", "no development data", "set CRYOFED_SHARED to where it is")
    torch.set_num_threads(1)
    sets = sets_of(options)
    learnt_from = material(sets, options.jobs, options.shards, data)
    folder, written = KEPT / f"peers-{digest(learnt_from)}", []
    for seed in seeds:
        course = Course(steps=options.steps, further=options.further, seed=seed)
        for name, answers in judge_peers(sets, learnt_from, course, folder, say, shapes=shapes):
            written.append(KEPT / f"{name}-seed{seed}.tsv")
            write_scores(written[-1], sets, answers)
            if options.write:
                publish(f"{name}-seed{seed}", sets, answers)
            say(f"wrote {written[-1]}")
    programs = kept_scores(written, sets)
    print(f"{side_by_side(programs)}\n\n{each_set(programs)}")
    return 0


def policies(options: argparse.Namespace) -> int:
    """What each policy with a name loses and rejects."""
    from benchmarks.real.ours import left_out
    from benchmarks.real.policies import policies_table

    bench = bench_of(options)
    table = policies_table([left_out(bench, [seed]) for seed in seeds_of(options)])
    print(table)
    if options.write:
        write_between(SELECTING_PAGE, {"policies": table})
    return 0


def release(options: argparse.Namespace) -> int:
    """The model that is shipped."""
    from benchmarks.real.ours import left_out
    from benchmarks.real.release import write_release

    if options.begin is None:
        raise InputError("--begin", "weights", "none given", "name the weights that the trainings began with")
    bench, seeds = bench_of(options), [SHIPPED_SEED]
    write_release(bench, left_out(bench, seeds), options.out, seeds)
    print(f"wrote model.onnx, weights.safetensors and card.json to {options.out}")
    return 0


def joining(options: argparse.Namespace) -> int:
    """What do a few labs make of a model that is good already?"""
    from benchmarks.real.joining import joined, table

    bench = bench_of(options)
    made = table(bench.sets, joined(bench, seeds_of(options), options.kept / "joining", say))
    print(made)
    if options.write:
        write_between(FEDERATION_PAGE, {"joining": made})
    return 0


def federation(options: argparse.Namespace) -> int:
    """Does federation pay on real images?"""
    from benchmarks.real.federation import federations, key_of, plot, sites_table, table

    bench, seeds = bench_of(options), seeds_of(options)
    start = bench.vector("start", 1)
    found = federations(bench.sets, start, seeds, options.kept / key_of(start), print)
    made = f"{table(bench.sets, found)}\n\n{sites_table(bench.sets, found)}"
    print(made)
    if options.write:
        for dark, name in ((False, "light"), (True, "dark")):
            plot(bench.sets, found, PAGE.with_name("images") / f"real-federation-{name}.svg", dark=dark)
        write_between(FEDERATION_PAGE, {"real": made})
    return 0
