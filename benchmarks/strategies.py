"""All strategies on five simulated sites: how the sites differ, who attacks, and what it costs.

`python -m benchmarks strategies` fills a cache cell by cell (a run that was stopped goes on) and writes
the tables and plots of docs/strategies.md. `python -m benchmarks.strategies --help` says what else.

The grid runs on a small network (a tenth of the shipped one's numbers, pictures of 32 × 32), so that a
laptop can afford it; the cells of `CONFIRMED` run again on the real one.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks._attacks import ATTACKS, hostile, mark
from benchmarks._worlds import SITES, SPLITS, Size, World, cached_world, release_corpus
from cryofed.federation.comparison import alone, follow
from cryofed.federation.plan import EnrolledSite, LocalTraining, Plan, RoundRules, StrategyChoice
from cryofed.federation.site import InMemory, Site
from cryofed.federation.site_learner import one_thread
from cryofed.federation.strategies.registry import STRATEGIES
from cryofed.learning import learner
from cryofed.learning.augment import augmented
from cryofed.learning.learner import evaluate
from cryofed.library.labelled import Labelled
from cryofed.scoring.network import Network

CACHE = (
    Path(os.environ.get("CRYOFED_BENCH_CACHE", Path(__file__).parent.parent / "build")) / "bench-strategies"
)
SMALL_SIDE, SMALL_WIDTHS = 32, (8, 16, 32)
BASELINES = ("pooled", "alone")
QUICK = 11  # cells: baselines, FedAvg, robust under every attack and without the hostile site
NAMES = [f"site-{i + 1}" for i in range(SITES)]
ROBUST = ("robust", "norm-bounded", "median", "trimmed-mean", "geometric-median", "krum", "multi-krum")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run; equal cells have equal results, so they are cached under this."""

    split: str = "mixed"
    strategy: str = "fedavg"
    parameters: tuple[tuple[str, float | str], ...] = ()
    attack: str = "none"
    seed: int = 1
    rounds: int = 8
    steps: int = 10
    batch: int = 16
    learning_rate: float = 1e-3
    optimizer: str = "adamw"
    codec: str = "float32"
    keep: float = 0.1
    absent: int = 0  # the last sites that do not take part at all: what a hostile site's data are worth
    network: str = "small"
    start: str = "release"
    jobs: int = 12  # per site
    held_out_jobs: int = 6
    test_jobs: int = 48

    @property
    def path(self) -> Path:
        """Where the result is kept."""
        own = {k: v for k, v in asdict(self).items() if v != Cell.__dataclass_fields__[k].default}
        name = "_".join(f"{k}={v}" for k, v in own.items()) or "default"
        return CACHE / "cells" / ("".join(c if c.isalnum() or c in "=_-." else "+" for c in name) + ".json")


# The parameters that each method is run with where its defaults are meant for other learners.
TUNED: dict[str, dict[str, float | str]] = {}


def grid(seeds: list[int]) -> list[Cell]:
    """All cells, the most telling first: whoever stops early has these."""
    first, *more = seeds
    others = [split for split in SPLITS if split != "mixed"]
    cells = []
    for seed in seeds:
        cells += [Cell(strategy=name, seed=seed) for name in (*BASELINES, "fedavg", "robust")]
        cells += [Cell(strategy="robust", attack=attack, seed=seed) for attack in ATTACKS]
        cells += [Cell(strategy="robust", absent=1, seed=seed)]
        cells += [Cell(codec=codec, seed=seed) for codec in ("topk", "int8", "float16")]
        if seed == first:
            cells += [Cell(strategy=name, seed=seed) for name in STRATEGIES]
            cells += [Cell(strategy="fedavg", attack=attack, seed=seed) for attack in ATTACKS]
    for names in ((*BASELINES, "fedavg", "robust", "personal", "scaffold"), STRATEGIES):
        cells += [Cell(split=split, strategy=name, seed=first) for split in others for name in names]
    cells += [Cell(strategy=name, attack=attack, seed=first) for name in ROBUST for attack in ATTACKS]
    cells += [Cell(strategy=name, seed=seed) for seed in more for name in STRATEGIES]
    cells += [
        Cell(split=split, strategy="robust", attack=attack, seed=first)
        for split in others
        for attack in ATTACKS
    ]
    return list(dict.fromkeys(cells))


@contextmanager
def small_network() -> Iterator[None]:
    """The learner with a network and pictures that a laptop trains fast."""
    learner.layout.cache_clear()
    with (
        mock.patch.object(learner, "Network", functools.partial(Network, SMALL_WIDTHS)),
        mock.patch.object(learner, "middle", lambda images: images),
        mock.patch.object(learner, "augmented", functools.partial(augmented, side=SMALL_SIDE)),
    ):
        yield
    learner.layout.cache_clear()


def result(cell: Cell) -> dict[str, object]:
    """The cell's result, from the cache or run now."""
    if cell.path.exists():
        return json.loads(cell.path.read_text())
    side = SMALL_SIDE if cell.network == "small" else 64
    size = Size(jobs=cell.jobs, held_out_jobs=cell.held_out_jobs, test_jobs=cell.test_jobs, side=side)
    world = cached_world(CACHE / "worlds", cell.split, cell.seed, size)
    if cell.network == "small":
        with small_network():
            made = measured(cell, world)
    else:
        made = measured(cell, world)
    cell.path.parent.mkdir(parents=True, exist_ok=True)
    part = cell.path.with_suffix(".part")
    part.write_text(json.dumps(made, indent=1))
    part.rename(cell.path)
    return made


def measured(cell: Cell, world: World) -> dict[str, object]:
    """Run the cell."""
    start = starting_vector(cell)
    training = LocalTraining(
        steps=cell.steps, batch=cell.batch, learning_rate=cell.learning_rate, optimizer=cell.optimizer
    )
    if cell.strategy in BASELINES:
        return _baseline(cell, world, training, start)
    names = NAMES[: SITES - cell.absent]
    cyclic = cell.strategy == "cyclic"
    plan = Plan(
        seed=cell.seed,
        rounds=RoundRules(count=cell.rounds * (len(names) if cyclic else 1), min_updates=1, retries=0),
        strategy=StrategyChoice(
            name=cell.strategy, parameters=TUNED.get(cell.strategy, {}) | dict(cell.parameters)
        ),
        training=training,
        sites=tuple(EnrolledSite(name=name, max_examples=2000) for name in names),
    )
    plan = replace(plan, guard=replace(plan.guard, codec=cell.codec, keep=cell.keep, send_metrics=False))
    with tempfile.TemporaryDirectory() as folder:
        sites = {
            name: Site(
                name=name,
                source=InMemory(train=part, held_out=part.take(np.zeros(0, np.int64))),
                folder=Path(folder) / name,
            )
            for name, part in zip(names, world.train, strict=False)
        }
        act = hostile(cell.attack, names[-1])
        # A course is drawn for the default setting; elsewhere the end is enough.
        every = (len(names) if cyclic else 1) * (2 if _drawn(cell) else cell.rounds)
        course = follow(plan, sites, start, world.test, Path(folder) / "run", function=act, every=every)
    pairs = zip(names, world.held_out, strict=False)
    own = [_auc(course.own[name], part) for name, part in pairs] if cell.attack == "none" else []
    on_test = (
        [_auc(vector, world.test) for vector in course.own.values()] if cell.strategy == "personal" else []
    )
    return {
        "auc": [round(a, 5) for a in course.auc[every - 1 :: every]],
        "final": float(np.mean(on_test)) if on_test else course.auc[-1],
        "sent_bytes": course.sent_bytes[-1] / len(names) / cell.rounds,
        "received_bytes": course.received_bytes[0] / len(names),
        "seconds": course.seconds[-1],
        "refused": course.refused,
        "own_held_out": own,
        "fooled": _fooled(course.vector, world.test) if cell.attack in ("none", "backdoor") else None,
    }


def _drawn(cell: Cell) -> bool:
    return cell.split == "mixed" and cell.attack == "none" and cell.seed == 1


def starting_vector(cell: Cell) -> np.ndarray:
    """A fresh network, or the release that the campaign starts from: trained on one kind of public data."""
    if cell.start == "scratch":
        return learner.initial_vector(cell.seed)
    path = CACHE / "worlds" / f"release-{cell.network}.npy"
    if not path.exists():
        side = SMALL_SIDE if cell.network == "small" else 64
        training = LocalTraining(steps=1, batch=32, learning_rate=3e-3)
        start = learner.initial_vector(7)
        np.save(path, alone(release_corpus(7, 30, side), training, 300, start, 7))
    return np.load(path, allow_pickle=False)


def _baseline(cell: Cell, world: World, training: LocalTraining, start: np.ndarray) -> dict[str, object]:
    """Pooled data with all sites' steps together; or each site alone with the steps of its part."""
    steps = cell.rounds * cell.steps
    if cell.strategy == "pooled":
        vector = alone(Labelled.join(list(world.train)), training, SITES * steps, start, cell.seed)
        own = [_auc(vector, part) for part in world.held_out]
        return {"final": _auc(vector, world.test), "own_held_out": own, "fooled": _fooled(vector, world.test)}
    vectors = [alone(part, training, steps, start, cell.seed) for part in world.train]
    return {
        "each": [_auc(vector, world.test) for vector in vectors],
        "own_held_out": [_auc(vector, part) for vector, part in zip(vectors, world.held_out, strict=True)],
    }


def _auc(vector: np.ndarray, labelled: Labelled) -> float:
    with one_thread():
        return float(evaluate(vector, labelled).auc)


def _fooled(vector: np.ndarray, test: Labelled) -> float:
    """Share of bad averages that pass only because they carry the backdoor's mark."""
    bad = test.take(~test.good)
    with one_thread():
        plain = learner.logits(vector, bad)[:, 0] > 0
        marked = learner.logits(vector, replace(bad, images=mark(bad.images)))[:, 0] > 0
    return float((marked & ~plain).mean())


def main(arguments: list[str] | None = None) -> None:
    """Fill the cache and write the page's tables and plots."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strategies", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="run seeds 1 to this (default 3)")
    parser.add_argument("--quick", action="store_true", help="the first cells of seed 1 only")
    parser.add_argument("--only-write", action="store_true", help="write from what the cache holds")
    options = parser.parse_args([] if arguments is None else arguments)
    cells = grid(list(range(1, options.seeds + 1)))
    if options.quick:
        cells = cells[:QUICK]
    if not options.only_write:
        for number, cell in enumerate(cells, 1):
            known = cell.path.exists()
            told = result(cell)
            if not known:
                final = told.get("final") or np.mean(told["each"])
                print(f"{number}/{len(cells)} {cell.path.stem}: AUC {final:.4f}", flush=True)
    from benchmarks._strategy_tables import write_page

    write_page(cells)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
