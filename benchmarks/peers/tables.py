"""Train the peers, score every set with them, and write their tables into docs/model.md."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from benchmarks.judging.figures import COLUMNS, Report, report
from benchmarks.judging.sets import LabelledJob
from benchmarks.measuring.page import write_between
from benchmarks.peers.corpus import ROOT, SEED, Part, cache, training_and_left_out
from benchmarks.peers.peers import (
    RELION,
    cryosift,
    our_calibration,
    our_network,
    pairwise,
    peer_scorer,
    rule_of_thumb,
    train_ours,
    train_peer,
)
from benchmarks.peers.training import Learnt, Recipe
from cryofed.learning.export import write_model
from cryofed.learning.learner import layout
from cryofed.learning.make_release import calibrate
from cryofed.scoring.scorer import score_job

PAGE = ROOT / "docs" / "model.md"
CRYOSIFT_SIDE = 64  # pixels; see docs/model.md
LARGE = {"simulated hold-out": "simulated", "relion_jobs": "relion-jobs", "all real sets": "real"}


def compare(everything: dict[str, list[LabelledJob]], shipped: Report, jobs: int, level: int) -> None:
    """Report the rule, the peers and our own shape trained on the same corpus, and write the tables."""
    torch.set_num_threads(1)
    training, left_out = training_and_left_out(jobs, say)
    recipe = Recipe(level=level)
    rule = rule_of_thumb(left_out)
    reports, learnt = [report("rule: resolution and particles", rule, everything, 2)], {}
    scorer, numbers = pairwise(training, left_out, recipe.seed)
    reports.append(report("pairwise logistic (SIMPLE)", scorer, everything, numbers))
    for peer in (RELION, cryosift(CRYOSIFT_SIDE)):
        say(f"training {peer.name}")
        model, learnt[peer.name] = train_peer(
            peer, training, left_out, recipe, _path(peer.table, training, level)
        )
        told(peer.name, learnt[peer.name])
        numbers = sum(p.numel() for p in model.parameters())
        reports.append(report(peer.name, peer_scorer(peer, model, left_out), everything, numbers))
    reports += ours(everything, training, left_out, recipe, learnt)
    parts = {f"peers-{mark}": set_table([*reports, shipped], name) for name, mark in LARGE.items()}
    parts["peers-each"] = each_table([*reports, shipped], everything)
    parts["peers-training"] = training_table([*reports, shipped], learnt)
    parts["peers-run"] = run_line(training, left_out, jobs, level)
    print("\n" + "\n\n".join(parts.values()))
    write_between(PAGE, parts)


def ours(
    everything: dict[str, list[LabelledJob]],
    training: Part,
    left_out: Part,
    recipe: Recipe,
    learnt: dict[str, Learnt],
) -> list[Report]:
    """Our shape, alone and with a context that was fitted on the left-out jobs."""
    say("training CryoFed's shape")
    model, done = train_ours(
        our_network(recipe.seed), training.own, left_out.own, recipe, _path("ours", training, recipe.level)
    )
    vector = layout().join({name: array.numpy() for name, array in model.state_dict().items()})
    reports = []
    for name, calibration in (
        ("CryoFed's shape, alone", our_calibration(model, left_out.own)),
        ("CryoFed's shape and context", calibrate(vector, left_out.own, recipe.seed)),
    ):
        learnt[name] = done
        folder = cache() / name.split()[-1]
        write_model(folder, vector, calibration)
        path = folder / "model.onnx"
        reports.append(report(name, lambda job, p=path: score_job(job, p).score, everything, layout().size))
    told("CryoFed's shape", done)
    return reports


def _path(name: str, training: Part, level: int) -> Path:
    return cache() / f"peer-{name}-{len(training.own)}-{level}.pt"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def told(name: str, learnt: Learnt) -> None:
    """How the error on left-out molecules went."""
    course = ", ".join(f"{step}: {error:.4f}" for step, error in learnt.course)
    print(f"\n{name}: error on left-out molecules by step: {course}; {learnt.seconds:.0f} CPU seconds")


def set_table(reports: list[Report], name: str) -> str:
    """Every model on one set."""
    lines = [f"| model | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
    for of in reports:
        figures = of.rows.get(name)
        if figures:
            lines.append(f"| {of.name} | {' | '.join(_cell(figures[c]) for c in COLUMNS)} |")
    return "\n".join(lines)


def each_table(reports: list[Report], everything: Mapping[str, list[LabelledJob]]) -> str:
    """Each real set: AUC where it has both labels, else the share of good classes kept."""
    names = [name for name in everything if name not in LARGE]
    if not names:
        return "No real set was at hand."
    both = {n for n in names if np.isfinite(reports[0].rows[n]["AUC"])}
    heads = [f"{n}: AUC / recall" if n in both else f"{n}: recall" for n in names]
    lines = ["| set | " + " | ".join(r.name for r in reports) + " |", "|---|" + "---:|" * len(reports)]
    for head, name in zip(heads, names, strict=True):
        cells = [
            (f"{r.rows[name]['AUC']:.3f} / " if name in both else "") + _cell(r.rows[name]["recall"])
            for r in reports
        ]
        lines.append(f"| {head} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def training_table(reports: list[Report], learnt: Mapping[str, Learnt]) -> str:
    """What each took, and whether it had stopped gaining."""
    lines = [
        "| model | parameters | steps | best at | error left out | still gaining | CPU s | images a CPU s |",
        "|---|---:|---:|---:|---:|---|---:|---:|",
    ]
    for of in reports:
        cells = [""] * 5
        if of.name in learnt:
            done = learnt[of.name]
            step, error = done.best
            cells = [
                str(done.steps), str(step), f"{error:.4f}", "no" if done.settled else "perhaps",
                f"{done.seconds:.0f}",
            ]  # fmt: skip
        lines.append(f"| {of.name} | {of.parameters:,} | {' | '.join(cells)} | {of.images_per_second:.0f} |")
    return "\n".join(lines)


def run_line(training: Part, left_out: Part, jobs: int, level: int) -> str:
    """What stands behind the tables."""
    return (
        f"`CRYOFED_PEER_JOBS={jobs} CRYOFED_PEER_STEPS={level} make bench-selection`: {len(training.own):,} "
        f"averages to train on, {len(left_out.own):,} of other molecules to validate and calibrate (corpus "
        f"seed {SEED}, training seed 1), one thread, bfloat16, torch {torch.__version__.split('+')[0]}, "
        f"{platform.machine()}."
    )


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"
