"""Three sites learn alone, together and pooled; then every model meets molecules that no site has."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryofed.demo.world import Tell, World, build_world, cores
from cryofed.disk.arrays import read_arrays
from cryofed.disk.lines import read_lines
from cryofed.disk.whole import write_whole
from cryofed.federation.aggregator.campaign import Campaign
from cryofed.federation.aggregator.gate import Decision
from cryofed.federation.aggregator.hooks import Hook
from cryofed.federation.agreement.plan import (
    EnrolledSite,
    GateRules,
    LocalTraining,
    NetworkRules,
    Plan,
    RoundRules,
    StrategyChoice,
)
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.deployment import deployment_of
from cryofed.federation.engines.remote.connection import free_port
from cryofed.federation.releases.store import first_release
from cryofed.federation.site.answering import LibraryFile
from cryofed.federation.site.trainer import one_thread, seed_of
from cryofed.learning.export import write_model
from cryofed.learning.learner import TrainingSettings, evaluate, initial_vector, train
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import UNKNOWN
from cryofed.workers import pool

ALIKE = 0.005  # two AUC that differ by less are told as the same
MIN_CELL = 4  # a held-out project is one job here, whose few good classes nobody needs to hide


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sizes of the demo: real training, small enough for two cores and four minutes."""

    sites: int = 3
    projects: int = 8  # of every site; one of them is held out
    unseen: int = 30  # jobs of molecules that no site has
    rounds: int = 12
    steps: int = 16  # of every site in every round
    batch: int = 64
    learning_rate: float = 2e-3
    last_rate: float = 0.05  # share of it in the last round
    strategy: str = "fedavgm"  # the start is untrained and the rounds are few: momentum helps
    seed: int = 1
    engine: str = "embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that the report tells. Every AUC is on the unseen jobs."""

    settings: Settings
    world: World
    plan: Plan
    local: Mapping[str, float]  # site: what it reaches alone
    pooled: float
    curve: tuple[float, ...]  # of the common model: before round 1, then after every round
    bytes_sent: Mapping[str, int]
    bytes_of_images: Mapping[str, int]  # what a site would have had to give away instead
    decision: Decision
    model: Path  # model.onnx of the federated model
    seconds: float

    @property
    def federated(self) -> float:
        """AUC of the federated model."""
        return self.curve[-1]

    @property
    def sentence(self) -> str:
        """What was learnt, in one sentence made of the run's own numbers."""
        best, worst = max(self.local.values()), min(self.local.values())
        gain, gap = self.federated - best, self.federated - self.pooled
        better = (
            "as well as the best of them alone"
            if abs(gain) < ALIKE
            else "better than any of them alone"
            if gain > 0
            else "no better than the best alone"
        )
        beside = "as well as" if abs(gap) < ALIKE else f"{abs(gap):.3f} {'above' if gap > 0 else 'below'}"
        return (
            f"{len(self.local)} sites that shared no image trained one model that tells good classes of "
            f"molecules it never saw from bad ones {better}: AUC {self.federated:.3f} together, "
            f"{worst:.3f} to {best:.3f} alone, and {beside} training on all images in one place "
            f"({self.pooled:.3f})."
        )


def tell_story(out: Path, settings: Settings, tell: Tell) -> Story:
    """Run it all in `out`; `tell` hears of progress."""
    began = time.monotonic()
    world = build_world(
        out,
        sites=settings.sites,
        projects=settings.projects,
        unseen=settings.unseen,
        seed=settings.seed,
        workers=cores(),
        tell=tell,
    )
    plan, home = make_plan(settings, world), out / "federation"
    home.mkdir()
    write_whole(home / "plan.toml", commented_plan(plan).encode())
    start = initial_vector(settings.seed)
    first_release(home / "releases", start, UNKNOWN, {"note": "untrained"})
    curve = [evaluate(start, world.unseen).auc]
    tell("sites learn together", 0.2)

    def hook(event: str, facts: Mapping[str, Any]) -> None:
        if event == "round_closed":
            curve.append(evaluate(_last(home), world.unseen).auc)
            step = f"round {facts['round']} of {settings.rounds}: AUC {curve[-1]:.3f} on unseen molecules"
            tell(step, 0.2 + 0.35 * facts["round"] / settings.rounds)

    campaign = _campaign(home, plan, world, hook)
    tell("sites learn alone; and, for comparison, all their images in one place", 0.55)
    local, pooled = _without_federation(settings, world, start, tell)
    reports = read_lines(campaign.folder / "rounds.jsonl")
    return Story(
        settings=settings,
        world=world,
        plan=plan,
        local={name: evaluate(vector, world.unseen).auc for name, vector in local.items()},
        pooled=evaluate(pooled, world.unseen).auc,
        curve=tuple(curve),
        bytes_sent={name: _sent(reports, name) for name in world.libraries},
        bytes_of_images={name: path.stat().st_size for name, path in world.libraries.items()},
        decision=campaign.decision,
        model=_export(out / "model", _last(home), settings),
        seconds=time.monotonic() - began,
    )


def make_plan(settings: Settings, world: World) -> Plan:
    """The federation's agreement."""
    return Plan(
        name="demo",
        engine=settings.engine,
        seed=settings.seed,
        network=NetworkRules(port=free_port()),  # the usual one may be another federation's
        rounds=RoundRules(count=settings.rounds, min_updates=settings.sites, deadline_s=300),
        strategy=StrategyChoice(name=settings.strategy),
        training=LocalTraining(
            steps=settings.steps,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            last_rate=settings.last_rate,
        ),
        gate=GateRules(min_cell=MIN_CELL),
        sites=tuple(
            EnrolledSite(name=name, library=str(path.resolve())) for name, path in world.libraries.items()
        ),
    )


def _campaign(home: Path, plan: Plan, world: World, hook: Hook) -> Campaign:
    engine = deployment_of(plan.engine)
    with engine.here(plan, world.libraries, home) as running:
        return engine.run(running, home / "plan.toml", home, [hook])


def _without_federation(
    settings: Settings, world: World, start: Vector, tell: Tell
) -> tuple[dict[str, Vector], Vector]:
    """Every site alone, and all pooled, each with as many views of averages as it has in the federation."""
    steps = settings.rounds * settings.steps
    alone = TrainingSettings(
        steps=steps, batch=settings.batch, learning_rate=settings.learning_rate, one_cycle=True
    )
    together = replace(alone, steps=steps * settings.sites)
    names = sorted(world.libraries)
    tasks = [("pooled", together, [world.libraries[name] for name in names])]
    tasks += [(name, alone, [world.libraries[name]]) for name in names]
    vectors: dict[str, Vector] = {}
    with pool(cores()) as processes:
        futures = {task[0]: processes.submit(_train, start, *task, settings.seed) for task in tasks}
        for done, name in enumerate([*names, "pooled"], start=1):
            vectors[name] = futures[name].result()
            tell(f"{name} has learnt", 0.55 + 0.4 * done / len(tasks))
    return {name: vectors[name] for name in names}, vectors["pooled"]


def _train(start: Vector, name: str, settings: TrainingSettings, libraries: list[Path], seed: int) -> Vector:
    with one_thread():
        labelled = Labelled.join([LibraryFile(path).labelled(held_out=False) for path in libraries])
        return train(start, labelled, settings, seed_of(f"{seed}:{name}")).vector


def _last(home: Path) -> Vector:
    """The common model after the last closed round."""
    arrays, _ = read_arrays(home / "campaigns" / "0001" / "checkpoint.safetensors")
    return arrays["vector"]


def _export(folder: Path, vector: Vector, settings: Settings) -> Path:
    """The federated model's files, whatever the gate decided."""
    card = {"note": "made by cryofed demo", "seed": settings.seed, "rounds": settings.rounds}
    write_model(folder, vector, UNKNOWN, card)
    return folder / "model.onnx"


def _sent(reports: list[dict[str, Any]], site: str) -> int:
    return sum(report["accepted"].get(site, {}).get("bytes", 0) for report in reports)
