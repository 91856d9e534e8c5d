"""One cell of the strategies' benchmark: a setting, run once and kept; equal cells have equal results."""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.federations.attacks import hostile, mark
from benchmarks.federations.worlds import SITES, Size, World, cached_world, release_corpus
from cryofed.errors import FederationError
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules, StrategyChoice
from cryofed.federation.site.answering import InMemory, Site
from cryofed.federation.site.guard.ledger import Spend, statement
from cryofed.federation.site.trainer import one_thread
from cryofed.federation.telling.comparison import alone, follow
from cryofed.learning import learner
from cryofed.learning.augment import augmented
from cryofed.learning.export import read_vector
from cryofed.learning.learner import TrainingSettings
from cryofed.learning.metrics import auc
from cryofed.learning.personalize import candidates, surely_best
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.network import Network
from cryofed.scoring.scorer import SHIPPED

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("CRYOFED_BENCH_CACHE", ROOT / "build")) / "bench-strategies"
SMALL_SIDE, SMALL_WIDTHS = 32, (8, 16, 32)
BASELINES = ("pooled", "alone")
NAMES = [f"site-{i + 1}" for i in range(SITES)]
FINISH_STEPS = 30  # local steps of a site's own finish


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run."""

    split: str = "mixed"
    strategy: str = "fedavg"
    parameters: tuple[tuple[str, float | str], ...] = ()
    finish: str = (
        ""  # each site's own finish of the final model: "site" looks at its validation jobs, or a kind
    )
    attack: str = "none"
    liar: int = SITES  # the number of the site that attacks
    seed: int = 1
    rounds: int = 10
    steps: int = 10
    batch: int = 32
    learning_rate: float = 1e-3
    last_rate: float = 1.0
    optimizer: str = "adamw"
    part: str = "all"
    project_share: float = 1.0
    codec: str = "float32"
    keep: float = 0.1
    epsilon: float = 0.0  # of DP-SGD over the whole run, for the smallest site; 0 is not private
    absent: int = 0  # the last sites that do not take part at all: what a hostile site's data are worth
    network: str = "small"
    start: str = "release"
    jobs: int = 12  # per site
    validation_jobs: int = 8
    held_out_jobs: int = 40
    test_jobs: int = 120

    @property
    def path(self) -> Path:
        """Where the result is kept."""
        own = {k: v for k, v in asdict(self).items() if v != Cell.__dataclass_fields__[k].default}
        name = "_".join(f"{k}={v}" for k, v in own.items()) or "default"
        return CACHE / "cells" / ("".join(c if c.isalnum() or c in "=_-." else "+" for c in name) + ".json")

    @property
    def needs(self) -> tuple[Cell, ...]:
        """Cells whose models this one goes on from."""
        base = replace(self, finish="")
        return (base, replace(base, strategy="alone")) if self.finish else ()

    @property
    def drawn(self) -> bool:
        """Whether the course is told, every second round; elsewhere the end is enough."""
        return self.split == "mixed" and self.attack == "none" and self.seed == 1

    @property
    def side(self) -> int:
        """Pixels along an average."""
        return SMALL_SIDE if self.network == "small" else 64

    @property
    def training(self) -> LocalTraining:
        """What each site does in one round."""
        return LocalTraining(
            steps=self.steps,
            batch=self.batch,
            learning_rate=self.learning_rate,
            last_rate=self.last_rate,
            optimizer=self.optimizer,
            part=self.part,
        )

    @property
    def world(self) -> World:
        """The federation; cells that differ in other things share it."""
        size = Size(
            jobs=self.jobs,
            validation_jobs=self.validation_jobs,
            held_out_jobs=self.held_out_jobs,
            test_jobs=self.test_jobs,
            side=self.side,
        )
        return cached_world(CACHE / "worlds", self.split, self.seed, size)


@dataclass(frozen=True, kw_only=True)
class Models:
    """What a run ends with."""

    common: Vector | None  # None where there is none: each site alone
    own: list[Vector]  # what each site uses
    told: dict[str, Any]


def result(cell: Cell) -> dict[str, Any]:
    """The cell's figures, from the cache or run now. Beside them lie the models and all scores.

    A rule that refuses to go on ends the campaign: that is a result too, and `stops` holds its reason.
    """
    if not cell.path.exists():
        for needed in cell.needs:
            result(needed)
        with network_of(cell):
            try:
                told, arrays = _measured(cell, cell.world, _run(cell, cell.world))
            except FederationError as error:
                told, arrays = {"stops": str(error)}, {}
        cell.path.parent.mkdir(parents=True, exist_ok=True)
        _put(cell.path.with_suffix(".npz"), lambda part: np.savez_compressed(part, **arrays))
        _put(cell.path, lambda part: part.write_text(json.dumps(told, indent=1)))
    return dict(json.loads(cell.path.read_text()))


def arrays_of(cell: Cell) -> dict[str, np.ndarray]:
    """`own` `(sites, size)` models; scores `test` of the common one, `held_out1` ... of each site's own."""
    with np.load(cell.path.with_suffix(".npz"), allow_pickle=False) as known:
        return dict(known)


def _put(path: Path, write: Any) -> None:
    part = path.with_name(f".part-{path.name}")
    write(part)
    part.rename(path)


@contextmanager
def network_of(cell: Cell) -> Iterator[None]:
    """The learner with a network and pictures that a laptop trains fast, where the cell asks for them."""
    if cell.network != "small":
        yield
        return
    learner.layout.cache_clear()
    with (
        mock.patch.object(learner, "Network", functools.partial(Network, SMALL_WIDTHS)),
        mock.patch.object(learner, "middle", lambda images: images),
        mock.patch.object(learner, "augmented", functools.partial(augmented, side=SMALL_SIDE)),
    ):
        yield
    learner.layout.cache_clear()


def _run(cell: Cell, world: World) -> Models:
    if cell.finish:
        return _finished(cell, world)
    if cell.strategy in BASELINES:
        return _baseline(cell, world, starting_vector(cell))
    return _federated(cell, world, starting_vector(cell))


def _federated(cell: Cell, world: World, start: Vector) -> Models:
    """On the path that users run: orders and updates as bytes, guards, admission, checkpoints."""
    names = NAMES[: SITES - cell.absent]
    turns = len(names) if cell.strategy == "cyclic" else 1  # one site a round: as much work in all
    plan = plan_of(cell, names, turns, [len(part) for part in world.train])
    with tempfile.TemporaryDirectory() as folder:
        sites = {
            name: Site(
                name=name,
                source=InMemory(train=part, held_out=part.take(np.zeros(0, np.int64))),
                folder=Path(folder) / name,
            )
            for name, part in zip(names, world.train, strict=False)
        }
        act = hostile(cell.attack, NAMES[cell.liar - 1])
        every = turns * (2 if cell.drawn else cell.rounds)
        course = follow(plan, sites, start, world.test, Path(folder) / "run", function=act, every=every)
    told = {
        "course": [round(a, 5) for a in course.auc[every - 1 :: every]],
        "sent_bytes": course.sent_bytes[-1] / len(names) / cell.rounds,
        "received_bytes": course.received_bytes[-1] / len(names) / cell.rounds,
        "cpu_seconds": round(course.seconds[-1], 2),
        "refused": course.refused,
    }
    return Models(common=course.vector, own=[course.own[name] for name in names], told=told)


def plan_of(cell: Cell, names: list[str], turns: int, examples: list[int]) -> Plan:
    """The cell's plan for these sites; `turns` rounds stand for one where sites take turns."""
    plan = Plan(
        seed=cell.seed,
        rounds=RoundRules(count=cell.rounds * turns, min_updates=1, retries=0),
        strategy=StrategyChoice(name=cell.strategy, parameters=dict(cell.parameters)),
        training=cell.training,
        sites=tuple(EnrolledSite(name=name, max_examples=2000) for name in names),
    )
    rules = replace(
        plan.guard,
        codec=cell.codec,
        keep=cell.keep,
        send_metrics=False,
        project_share=cell.project_share,
    )
    if cell.epsilon:
        noise = noise_for(cell.epsilon, min(examples), cell.batch, cell.rounds * cell.steps)
        rules = replace(rules, private=True, noise_multiplier=noise, max_epsilon=cell.epsilon * 1.01)
    return replace(plan, guard=rules)


def noise_for(epsilon: float, examples: int, batch: int, steps: int) -> float:
    """The least noise multiplier, to 1 %, that keeps a site of so many averages within ε."""
    low, high = 0.3, 50.0
    while high / low > 1.01:
        middle = (low * high) ** 0.5
        spend = Spend(
            library="",
            campaign="",
            round_number=1,
            examples=examples,
            sampling_rate=min(1.0, batch / examples),
            noise_multiplier=middle,
            steps=steps,
        )
        low, high = (low, middle) if statement([spend]).epsilon <= epsilon else (middle, high)
    return round(high, 3)


def _baseline(cell: Cell, world: World, start: Vector) -> Models:
    """Pooled data with all sites' steps together; or each site alone with the steps of its part."""
    steps = cell.rounds * cell.steps
    if cell.strategy == "pooled":
        vector = alone(Labelled.join(list(world.train)), cell.training, SITES * steps, start, cell.seed)
        return Models(common=vector, own=[vector] * SITES, told={})
    own = [alone(part, cell.training, steps, start, cell.seed) for part in world.train]
    return Models(common=None, own=own, told={})


def _finished(cell: Cell, world: World) -> Models:
    """Each site's own model beside the common one, as `cryofed site personalize` makes it."""
    federated, single = (arrays_of(needed)["own"] for needed in cell.needs)
    settings = TrainingSettings(steps=FINISH_STEPS, batch=cell.batch, learning_rate=cell.learning_rate)
    own, kinds = [], []
    with one_thread():
        for common, local, fit, judge in zip(federated, single, world.train, world.validation, strict=True):
            models = candidates(common, local, fit, settings, cell.seed)
            kind = surely_best(models, judge, Calibration())[0] if cell.finish == "site" else cell.finish
            own.append(models[kind])
            kinds.append(kind)
    return Models(common=None, own=own, told={"kinds": kinds})


def starting_vector(cell: Cell) -> Vector:
    """A fresh network, the model that CryoFed ships, or a release trained on one kind of public data."""
    if cell.start == "scratch":
        return learner.initial_vector(cell.seed)
    if cell.start == "shipped":
        return read_vector(SHIPPED.with_name("weights.safetensors"))
    path = CACHE / "worlds" / f"release-{cell.network}.npy"
    if not path.exists():
        training = LocalTraining(steps=1, batch=32, learning_rate=3e-3)
        start = learner.initial_vector(7)
        np.save(path, alone(release_corpus(7, 30, cell.side), training, 300, start, 7))
    known: Vector = np.load(path, allow_pickle=False)
    return known


def _measured(cell: Cell, world: World, made: Models) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Figures and scores: of the common model on the test, of each site's model on its held-out jobs."""
    told, arrays = dict(made.told), {"own": np.stack(made.own)}
    honest = cell.attack == "none" and not cell.absent
    with one_thread():
        if made.common is None:
            scores = [_scores(vector, world.test) for vector in made.own]
            told["each"] = [auc(one, world.test.good) for one in scores]
        else:
            arrays["test"] = _scores(made.common, world.test)
            told["final"] = auc(arrays["test"], world.test.good)
        if cell.strategy == "personal":
            told["each"] = [auc(_scores(vector, world.test), world.test.good) for vector in made.own]
            told["final"] = float(np.mean(told["each"]))  # the common model alone has an untrained head
        if honest:
            for number, (vector, part) in enumerate(zip(made.own, world.held_out, strict=True), 1):
                arrays[f"held_out{number}"] = _scores(vector, part)
        if made.common is not None and cell.attack in ("none", "backdoor"):
            told["fooled"] = _fooled(made.common, arrays["test"], world.test)
    return told, arrays


def _scores(vector: Vector, labelled: Labelled) -> np.ndarray:
    return learner.logits(vector, labelled)[:, 0]


def _fooled(vector: Vector, plain: np.ndarray, test: Labelled) -> float:
    """Share of bad averages that pass only because they carry the backdoor's mark."""
    bad = test.take(~test.good)
    marked = _scores(vector, replace(bad, images=mark(bad.images)))
    return float(((marked > 0) & ~(plain[~test.good] > 0)).mean())
