"""Three sites learn alone, together and pooled; then every model meets molecules that no site has."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from cryofed.demo.world import World, build_world
from cryofed.federation.campaign import run_campaign
from cryofed.federation.engines.embedded import embedded
from cryofed.federation.gate import Decision
from cryofed.federation.plan import EnrolledSite, GateRules, LocalTraining, Plan, RoundRules
from cryofed.federation.plan_file import commented_plan
from cryofed.federation.releases import Release, write_release
from cryofed.federation.site import Site
from cryofed.federation.storage import read_arrays, read_lines
from cryofed.learning.learner import TrainingSettings, evaluate, initial_vector, train
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled

Tell = Callable[[str, float], None]  # what goes on, and the share of the whole that is done


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sizes of the demo: real training, small enough for two cores and four minutes."""

    sites: int = 3
    projects: int = 4
    unseen_projects: int = 6
    rounds: int = 8
    steps: int = 24  # of every site in every round
    batch: int = 64
    learning_rate: float = 2e-3
    seed: int = 1
    engine: str = "embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that the report tells."""

    settings: Settings
    world: World
    plan: Plan
    start: float  # AUC before any training
    local: Mapping[str, float]  # site: AUC on the unseen projects
    pooled: float
    federated: float
    curve: tuple[tuple[int, float], ...]  # round, AUC on the unseen projects
    bytes_sent: Mapping[str, int]
    decision: Decision
    release: Release
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def best_local(self) -> float:
        """The best that any site reaches alone."""
        return max(self.local.values())

    @property
    def sentence(self) -> str:
        """What was learnt, in one sentence made of the run's own numbers."""
        gap = self.federated - self.pooled
        beside = "the same as" if abs(gap) < 0.005 else f"{abs(gap):.3f} {'above' if gap > 0 else 'below'}"
        verb = "ranks" if self.federated >= self.best_local else "does not yet rank"
        return (
            f"Together, {len(self.local)} sites made a model that {verb} classes of molecules that none of "
            f"them had better than any site's own model (AUC {self.federated:.3f}; alone "
            f"{min(self.local.values()):.3f} to {self.best_local:.3f}), {beside} training on all data in "
            f"one place ({self.pooled:.3f}), and no image left its site."
        )


def tell_story(out: Path, settings: Settings, tell: Tell) -> Story:
    """Run it all in `out`; `tell` hears of progress."""
    world = build_world(out, settings.sites, settings.projects, settings.unseen_projects, settings.seed, tell)
    unseen = world.unseen
    start = initial_vector(settings.seed)
    plan = make_plan(settings, world)
    home = out / "federation"
    home.mkdir(parents=True, exist_ok=True)
    (home / "plan.toml").write_text(commented_plan(plan), encoding="utf-8")
    write_release(home / "releases", 1, start, {"federation": plan.name, "note": "untrained"})

    curve = [(0, evaluate(start, unseen).auc)]

    def hook(event: str, facts: Mapping[str, Any]) -> None:
        if event == "round_closed":
            checkpoint = home / "campaigns" / "0001" / "checkpoint.safetensors"
            vector = read_arrays(checkpoint)[0]["vector"]
            curve.append((int(facts["round"]), evaluate(vector, unseen).auc))
            done = curve[-1][0] / settings.rounds
            tell(f"round {curve[-1][0]} of {settings.rounds}, AUC {curve[-1][1]:.3f}", 0.3 + 0.3 * done)

    tell("sites learn together", 0.3)
    campaign = run_engine(home, plan, world, hook)
    tell("sites learn alone, and pooled", 0.6)
    local, pooled = _alone(settings, world, start, tell)
    reports = read_lines(campaign.folder / "rounds.jsonl")
    sent = {name: sum(r["accepted"].get(name, {}).get("bytes", 0) for r in reports) for name in world.sites}
    federated = read_arrays(campaign.folder / "checkpoint.safetensors")[0]["vector"]
    return Story(
        settings=settings,
        world=world,
        plan=plan,
        start=curve[0][1],
        local={name: evaluate(vector, unseen).auc for name, vector in local.items()},
        pooled=evaluate(pooled, unseen).auc,
        federated=evaluate(federated, unseen).auc,
        curve=tuple(curve),
        bytes_sent=sent,
        decision=campaign.decision,
        release=campaign.release,
    )
