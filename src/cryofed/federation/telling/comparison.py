"""Plans side by side over seeds, on libraries of this machine: what a strategy is worth."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cryofed.errors import InputError, TrainingError
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import LocalTraining, Plan
from cryofed.federation.agreement.plan_file import read_plan
from cryofed.federation.engines.embedded.carrier import embedded
from cryofed.federation.site.answering import LibraryFile, Site, SiteFunction, answer
from cryofed.federation.site.memory import load_memory
from cryofed.federation.site.trainer import one_thread, training_settings
from cryofed.federation.wire.orders import order
from cryofed.learning.learner import evaluate, initial_vector, layout, train
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How one run went, round by round."""

    auc: tuple[float, ...]  # of the common model on the common test, after each round
    sent_bytes: tuple[int, ...]  # by all sites together, cumulated
    received_bytes: tuple[int, ...]
    seconds: tuple[float, ...]  # of processor time, all sites and the aggregator, cumulated; no evaluation
    refused: int  # updates that admission turned away
    vector: Vector  # the common model at the end
    own: Mapping[str, Vector]  # the model that each site uses at the end; differs for personal strategies

    def reached(self, target: float) -> int | None:
        """The first round (from 1) at which the AUC is at least the target."""
        return next((number for number, auc in enumerate(self.auc, 1) if auc >= target), None)


def follow(
    plan: Plan,
    sites: Mapping[str, Site],
    start: Vector,
    test: Labelled,
    folder: Path,
    *,
    function: SiteFunction = answer,
    every: int = 1,
) -> Course:
    """Run a plan's rounds in this process and judge the common model after every `every` rounds.

    The path is that of a real run: orders and updates as bytes, guards, admission, checkpoints.

    Args:
        plan: its sites must be those of `sites`.
        sites: by name; where they have a folder, strategies keep their memory there.
        start: the model before round 1.
        test: what the common model is judged on.
        folder: empty or of the same run, which then goes on.
        function: what the sites do; attacks give another.
        every: rounds between evaluations; rounds in between repeat the last AUC.
    """
    auc: list[float] = []
    sent: list[int] = []
    received: list[int] = []
    seconds: list[float] = []
    refused = 0
    watch = time.process_time()

    def note(event: str, facts: Mapping[str, Any]) -> None:
        nonlocal refused, watch
        if event != "round_closed":
            return
        seconds.append(time.process_time() - watch)
        sent.append(sum(update["bytes"] for update in facts["accepted"].values()))
        received.append(4 * rounds.strategy.channels * shape.size * len(facts["asked"]))
        refused += len(facts["refused"])
        number = int(facts["round"])
        if number % every == 0 or number == plan.rounds.count or not auc:
            with one_thread():
                auc.append(evaluate(rounds.vector, test).auc)
        else:
            auc.append(auc[-1])
        watch = time.process_time()

    shape = layout()
    with (
        embedded(plan, sites, function, inline=True) as carrier,
        open_rounds(folder, plan, shape, start, hooks=[carrier.dropouts.note, note]) as rounds,
    ):
        run_rounds(rounds, carrier)
        message = rounds.strategy.message(rounds.progress.state)
        last = order("train", rounds.round_number, message, **rounds.hashes)
        own = {
            name: rounds.strategy.own_model(message, load_memory(site.folder, last).strategy, shape)
            for name, site in sites.items()
        }
        return Course(
            auc=tuple(auc),
            sent_bytes=tuple(int(b) for b in np.cumsum(sent)),
            received_bytes=tuple(int(b) for b in np.cumsum(received)),
            seconds=tuple(float(s) for s in np.cumsum(seconds)),
            refused=refused,
            vector=rounds.vector,
            own=own,
        )


def alone(labelled: Labelled, training: LocalTraining, steps: int, start: Vector, seed: int) -> Vector:
    """What one set of labels gives without a federation: pooled data, or one site for itself.

    The learning rate runs one cycle: a baseline gets its best form.
    """
    settings = training_settings(training, steps=steps, one_cycle=True)
    with one_thread():
        return train(start, labelled, settings, seed).vector


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n − 1; 0 for one value) over seeds."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One plan over all seeds; an entry per seed in every list."""

    name: str
    auc: tuple[float, ...]  # on all sites' held-out projects together
    pooled: tuple[float, ...]  # the same of a model trained on pooled data
    best_alone: tuple[float, ...]  # the same of the best single site's model
    mean_alone: tuple[float, ...]
    worst_gain: tuple[float, ...]  # least, over sites, of AUC on own held-out minus that of the local model
    rounds: tuple[int | None, ...]  # to the target; None where it was not reached
    site_bytes: tuple[int | None, ...]  # up and down per site until then
    seconds: tuple[float | None, ...]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def libraries_of(paths: Sequence[Path]) -> dict[str, Path]:
    """Each site's library; the same sites in all plans, so that the runs can be compared.

    Raises:
        InputError: a plan cannot be read, has other sites than the first, or names no library of one.
    """
    libraries: dict[str, Path] = {}
    for path in paths:
        plan = read_plan(path)
        if libraries and set(plan.site_names) != set(libraries):
            raise InputError(path, "sites", ", ".join(plan.site_names), "enroll the same sites in every plan")
        for site in plan.sites:
            library = path.parent / site.library
            if not site.library or not library.is_file():
                raise InputError(
                    path, "sites.library", f"{site.name}: no file", "name the site's library file"
                )
            libraries[site.name] = library
    return libraries


def compare(
    plans: Mapping[str, Plan],
    libraries: Mapping[str, Path],
    seeds: Sequence[int],
    scratch: Path,
    *,
    start: Vector | None,
    margin: float,
    done: Callable[[str], None],
) -> list[Row]:
    """Every plan with every seed, and per seed the pooled and the single-site models beside it.

    All get the same number of steps in total per site: pooled training takes those of all sites together.
    """
    parts = {
        name: (LibraryFile(path).labelled(held_out=False), LibraryFile(path).labelled(held_out=True))
        for name, path in sorted(libraries.items())
    }
    held_parts = {name: held_out for name, (_, held_out) in parts.items()}
    test = Labelled.join(list(held_parts.values()))
    if not test.good.any() or test.good.all():
        raise TrainingError("the held-out projects of all sites need good and bad classes; label more")
    entries_of: dict[str, list[dict[str, Any]]] = {name: [] for name in plans}
    for seed in seeds:
        begin = initial_vector(seed) if start is None else start
        beside = _beside(next(iter(plans.values())), parts, test, begin, seed)
        done(f"seed {seed}: pooled and alone")
        for name, plan in plans.items():
            folder = scratch / f"{seed}" / name
            sites = {n: Site(name=n, source=LibraryFile(p), folder=folder / n) for n, p in libraries.items()}
            course = follow(replace(plan, seed=seed), sites, begin, test, folder / "run")
            entries_of[name].append(_entry(course, held_parts, beside, margin, len(sites)))
            done(f"seed {seed}: {name}")
    return [
        Row(name=name, **{key: tuple(entry[key] for entry in entries) for key in entries[0]})
        for name, entries in entries_of.items()
    ]


@dataclass(frozen=True, slots=True)
class _Beside:
    pooled: float
    alone: Mapping[str, float]  # on the common test
    own: Mapping[str, float]  # on the site's own held-out projects


def _beside(
    plan: Plan,
    parts: Mapping[str, tuple[Labelled, Labelled]],
    test: Labelled,
    begin: Vector,
    seed: int,
) -> _Beside:
    steps = plan.rounds.count * plan.training.steps
    everything = Labelled.join([part for part, _ in parts.values()])
    pooled = alone(everything, plan.training, steps * len(parts), begin, seed)
    own, on_test = {}, {}
    for name, (part, held_out) in parts.items():
        vector = alone(part, plan.training, steps, begin, seed)
        on_test[name], own[name] = _auc(vector, test), _auc(vector, held_out)
    return _Beside(_auc(pooled, test), on_test, own)


def _entry(
    course: Course, held_parts: Mapping[str, Labelled], beside: _Beside, margin: float, sites: int
) -> dict[str, Any]:
    number = course.reached(beside.pooled - margin)
    gains = [_auc(course.own[name], part) - beside.own[name] for name, part in held_parts.items()]
    moved = None if number is None else course.sent_bytes[number - 1] + course.received_bytes[number - 1]
    return {
        "auc": course.auc[-1],
        "pooled": beside.pooled,
        "best_alone": max(beside.alone.values()),
        "mean_alone": float(np.mean(list(beside.alone.values()))),
        "worst_gain": float(np.nanmin(gains)) if not np.isnan(gains).all() else float("nan"),
        "rounds": number,
        "site_bytes": None if moved is None else moved // sites,
        "seconds": None if number is None else course.seconds[number - 1],
    }


def _auc(vector: Vector, labelled: Labelled) -> float:
    with one_thread():
        return evaluate(vector, labelled).auc


def table(rows: Sequence[Row], seeds: int) -> str:
    """All rows as a Markdown table, best first, with what stands beside them."""
    first = rows[0]
    lines = [
        f"AUC on all sites' held-out projects, mean of {seeds} seeds (± standard deviation):",
        f"pooled data {np.mean(first.pooled):.4f}; best single site {np.mean(first.best_alone):.4f}; "
        f"mean single site {np.mean(first.mean_alone):.4f}",
        "",
        "| plan | AUC | against pooled | worst site against its local model | rounds to target "
        "| MB per site | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: -float(np.mean(row.auc))):
        middle, spread = mean_and_spread(row.auc)
        reached = [r for r in row.rounds if r is not None]
        if len(reached) < len(row.rounds):
            cost = f"{len(reached)} of {len(row.rounds)} seeds | – | –"
        else:
            megabytes = np.mean([b for b in row.site_bytes if b is not None]) / 1e6
            seconds = np.mean([s for s in row.seconds if s is not None])
            cost = f"{np.mean(reached):.1f} | {megabytes:.1f} | {seconds:.0f}"
        lines.append(
            f"| {row.name} | {middle:.4f} ± {spread:.4f} | {middle - float(np.mean(row.pooled)):+.4f} "
            f"| {np.mean(row.worst_gain):+.4f} | {cost} |"
        )
    return "\n".join(lines)
