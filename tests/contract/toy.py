"""Sites of a few numbers, well-behaved or not. Test code only: the product knows nothing of faults.

A site is a name and a behaviour. `answer` has the signature of `cryofed.federation.site.answer`, so an
engine's tests put it in that one's place; `Site.source` holds a `Toy` instead of a library.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules, StrategyChoice
from cryofed.federation.site.answering import Site
from cryofed.federation.site.memory import SiteMemory, load_memory, save_memory
from cryofed.federation.strategies.registry import make_strategy
from cryofed.federation.wire.codecs import Buffer, encode
from cryofed.federation.wire.orders import Answer, Numbers, pack_numbers, unpack_order
from cryofed.federation.wire.parcels import pack_update
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Layout, Vector

LAYOUT = Layout(("trunk.weight", "trunk.scale", "head.bias"), ((7, 9), (3,), (2,)))
START = np.zeros(LAYOUT.size, np.float32)
OTHER = Layout(("w",), ((68,),))
FAULTS = (
    "raises",
    "exits",
    "hangs",
    "sends NaN",
    "sends infinity",
    "is too short",
    "is too long",
    "has another layout",
    "replays",
    "claims 10^12 examples",
    "is huge",
    "sends garbage",
    "poses as another",
)


@dataclass(frozen=True)
class Toy:
    """What a toy site strives for, and what is wrong with it."""

    target: float
    behaviour: str = "honest"
    seconds: float = 0.0  # that training takes

    def labelled(self, held_out: bool) -> None:
        """No library."""


@dataclass(frozen=True)
class Fit:
    """What a toy's training gives."""

    vector: Vector
    gradient: Vector | None


@dataclass(frozen=True)
class Learner:
    """One step half of the way to the target, as strategies ask for it."""

    toy: Toy
    round_number: int
    layout: Layout = LAYOUT

    def __call__(self, vector: Vector, *, pull: float = 0.0, drift: Vector | None = None) -> Fit:
        """The step against the gradient and the drift; a single step feels no pull."""
        # Numbers of many magnitudes: any other order of summation would show in the bits.
        noise = np.random.default_rng([self.round_number, int(self.toy.target)]).normal(size=LAYOUT.size)
        gradient = (0.5 * (vector - self.toy.target) - 1e-3 * noise).astype(np.float32)
        moved = vector - gradient - (np.float32(0) if drift is None else drift)
        return Fit(moved.astype(np.float32), None if drift is None else gradient)


def plan(sites: tuple[str, ...], *, strategy: str = "fedavg", **rounds: float) -> Plan:
    """A plan for toy sites: three quick rounds, a quorum of 2."""
    rules = {"count": 3, "min_updates": 2, "deadline_s": 60.0, "grace_s": 2.0, **rounds}
    return Plan(
        name="toys",
        rounds=RoundRules(**rules),  # type: ignore[arg-type]
        strategy=StrategyChoice(name=strategy),
        training=LocalTraining(steps=1),
        sites=tuple(EnrolledSite(name=name, max_examples=1000) for name in sites),
    )


def toys(behaviours: dict[str, str], folder: Path, seconds: float = 0.0) -> dict[str, Site]:
    """Sites by name; each strives for another number."""
    return {
        name: Site(name=name, source=Toy(number + 1.0, what, seconds), folder=folder / name)  # type: ignore[arg-type]
        for number, (name, what) in enumerate(sorted(behaviours.items()))
    }


def answer(data: Buffer, plan: Plan, site: Site) -> Answer:
    """Go half of the way to the target, or misbehave in rounds 2 and later."""
    toy = site.source
    assert isinstance(toy, Toy)
    order = unpack_order(data, 1000)
    if order.task != "train":
        gate = {"0.auc": 0.8, "1.auc": 0.7, "0.held_out": 100.0, "1.held_out": 100.0}
        values = gate if order.task == "evaluate" else {"examples": 100.0}
        numbers = Numbers(
            site=site.name,
            task=order.task,
            round_number=order.round_number,
            model_hash=order.model_hash,
            values=values,
        )
        return Answer(site=site.name, data=pack_numbers(numbers))
    time.sleep(toy.seconds)
    strategy = make_strategy(plan.strategy.name, plan.strategy.parameters)
    memory = load_memory(site.folder, order)
    vector, kept = strategy.site_round(order.vector, memory.strategy, Learner(toy, order.round_number))
    save_memory(site.folder, order, SiteMemory(strategy=kept))
    update = Update(
        site=site.name,
        round_number=order.round_number,
        model_hash=order.model_hash,
        layout_hash=LAYOUT.hash,
        vector=vector,
        examples=100 + int(toy.target),
        steps=1,
        metrics={"loss": 0.5, "auc": 0.7},
    )
    packed = _packed(update)
    if toy.behaviour != "honest" and order.round_number >= 2:
        return misbehave(toy.behaviour, update, site)
    if toy.behaviour == "replays":
        assert site.folder
        site.folder.mkdir(parents=True, exist_ok=True)
        (site.folder / "kept").write_bytes(packed)
    return Answer(site=site.name, data=packed)


def misbehave(behaviour: str, update: Update, site: Site) -> Answer:
    """What the site sends instead of `update`, if it sends anything."""
    if behaviour == "raises":
        raise RuntimeError("a bug at the site")
    if behaviour == "exits":
        os._exit(9)
    if behaviour == "hangs":
        time.sleep(3600)
    if behaviour == "sends garbage":
        return Answer(site=site.name, data=b"\x80\x04 not an update" * 100)
    if behaviour == "replays":
        assert site.folder
        return Answer(site=site.name, data=(site.folder / "kept").read_bytes())
    changed = {
        "sends NaN": {"vector": np.where(np.arange(LAYOUT.size) == 3, np.float32(np.nan), update.vector)},
        "sends infinity": {"vector": np.full_like(update.vector, np.inf)},
        "is too short": {"vector": update.vector[:-1]},
        "is too long": {"vector": np.append(update.vector, np.float32(0))},
        "has another layout": {"layout_hash": OTHER.hash},
        "claims 10^12 examples": {"examples": 10**12},
        "is huge": {"vector": update.vector * np.float32(1e30)},
        "poses as another": {"site": "alpha"},
    }[behaviour]
    return Answer(site=site.name, data=_packed(replace(update, **changed)))  # type: ignore[arg-type]


def _packed(update: Update) -> bytes:
    return pack_update(update, encode(update.vector, "float32"))
