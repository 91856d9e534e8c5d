"""Does a site's contribution, estimated from round reports, agree with training again without the site?

Five sites as in `benchmarks strategies` (mixed), all honest, and once with the last one's labels turned over
in half of its averages. The estimate needs the reports of one run; the check trains five times more.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.federations.attacks import flipped
from benchmarks.federations.cells import CACHE, NAMES, Cell, network_of, plan_of, starting_vector
from cryofed.disk.lines import read_lines
from cryofed.federation.site.answering import InMemory, Site
from cryofed.federation.site.trainer import one_thread
from cryofed.federation.telling.comparison import follow
from cryofed.federation.telling.contribution import contributions
from cryofed.learning import learner
from cryofed.learning.personalize import gain
from cryofed.library.labelled import Labelled


def result(cell: Cell, careless: bool) -> dict[str, Any]:
    """Shares and losses of AUC by site, from the cache or run now."""
    path = CACHE.parent / "bench-contribution" / f"{cell.seed}-{careless}.json"
    if not path.exists():
        with network_of(cell):
            told = _run(cell, careless)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(told))
    return dict(json.loads(path.read_text()))


def _run(cell: Cell, careless: bool) -> dict[str, Any]:
    world = cell.world
    train = dict(zip(NAMES, world.train, strict=True))
    if careless:
        last = train[NAMES[-1]]
        wrong = np.random.default_rng(cell.seed).random(len(last)) < 0.5
        train[NAMES[-1]] = Labelled.join([last.take(~wrong), flipped(last.take(wrong))])
    all_scores, reports = _scores(cell, train, world.test)
    shares = contributions(reports)
    told: dict[str, Any] = {"share": [], "error": [], "loss": [], "loss_error": []}
    for name in NAMES:
        scores, _ = _scores(cell, {n: part for n, part in train.items() if n != name}, world.test)
        loss, error = gain(all_scores, scores, world.test)
        told["share"].append(shares[name].share)
        told["error"].append(shares[name].error)
        told["loss"].append(loss)
        told["loss_error"].append(error)
    return told


def _scores(
    cell: Cell, train: dict[str, Labelled], test: Labelled
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The final model's scores on the test, and the round reports."""
    plan = plan_of(cell, list(train), 1, [len(part) for part in train.values()])
    plan = replace(plan, strategy=replace(plan.strategy, parameters={"weighting": "equal"}))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        sites = {
            name: Site(name=name, source=InMemory(train=part, held_out=part.take(np.zeros(0, np.int64))))
            for name, part in train.items()
        }
        course = follow(plan, sites, starting_vector(cell), test, home, every=cell.rounds)
        reports = read_lines(home / "rounds.jsonl")
    with one_thread():
        return learner.logits(course.vector, test)[:, 0], reports


def main(arguments: list[str] | None = None) -> None:
    """Print a table per case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contribution", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="run seeds 1 to this (default 3)")
    options = parser.parse_args([] if arguments is None else arguments)
    print("| seed | last site's labels | | " + " | ".join(NAMES) + " | rank correlation |")
    print("|---" * (len(NAMES) + 4) + "|")
    for careless in (False, True):
        for seed in range(1, options.seeds + 1):
            told = result(Cell(seed=seed), careless)
            labels = "half of them wrong" if careless else "its own"
            share = " | ".join(
                f"{a:.3f} ± {b:.3f}" for a, b in zip(told["share"], told["error"], strict=True)
            )
            loss = " | ".join(
                f"{a:+.4f} ± {b:.4f}" for a, b in zip(told["loss"], told["loss_error"], strict=True)
            )
            ranks = [np.argsort(np.argsort(told[name])) for name in ("share", "loss")]
            print(f"| {seed} | {labels} | share | {share} | {np.corrcoef(*ranks)[0, 1]:+.2f} |")
            print(f"| | | AUC that its absence costs | {loss} | |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
