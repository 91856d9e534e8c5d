"""Does federation pay on real images? Every source of real averages is a site; other molecules judge.

Each site has its own molecules, microscope, program and expert. All start from a model that saw simulation
and RELION's classifications of simulated particles only. The federation runs on the product's own path: plan,
orders, the site's guard, updates as bytes, admission, strategy. A molecule's own sites stay out of the
federation that is judged on it.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.federations.cells import noise_for
from benchmarks.real.ours import logits_of
from benchmarks.real.recipe import of_job
from benchmarks.real.sets import RealSet
from cryofed.federation.aggregator.campaign import mixed
from cryofed.federation.agreement.plan import (
    HEAD_ALONE,
    USUAL,
    EnrolledSite,
    Plan,
    RoundRules,
    StrategyChoice,
)
from cryofed.federation.site.answering import InMemory, Site
from cryofed.federation.telling.comparison import alone, follow
from cryofed.learning.metrics import auc
from cryofed.learning.vector import Vector, vector_hash
from cryofed.library.labelled import Labelled
from cryofed.scoring.scorer import scorable

# Who would be one laboratory: one source of pictures and one molecule.
SITES: Mapping[str, tuple[str, ...]] = {
    "casper-trpv1": ("trpv1_a50", "trpv1_b50", "trpv1_c50"),
    "casper-bgal": ("bgal17_a50", "bgal17_b50", "bgal17_c50"),
    "slicem": ("slicem",),
    "toronto": ("empiar10880",),
    "magellon": ("cryosift20",),
    "tutorial": ("relion_bgal_job009", "relion_bgal_job023"),
    "follow-relion": ("rln4_bgal_job008", "rln4_bgal_job032"),
    "warp": ("warp_bgal8",),
    "nup82": ("nup82_negstain_23classes",),
    "pom152": (
        "pom152_T1_negstain_19classes",
        "pom152_T2_negstain_24classes",
        "pom152_WT_negstain_35classes",
    ),
}
RULES: Mapping[str, StrategyChoice] = {
    "fedavg": StrategyChoice(name="fedavg"),
    "robust": StrategyChoice(name="robust"),
    "diloco": StrategyChoice(name="diloco"),
}
TRAINING, ROUNDS = HEAD_ALONE, 12
ALONE, FINISH = "alone: ", "finish: "  # ways of one site; the site's name follows
FINISHED = "fedavg"  # whose model the sites finish: half of it and half of their own
EPSILON = 8.0


def federations(
    sets: Sequence[RealSet], start: Vector, seeds: Sequence[int], kept: Path, say: Callable[[str], None]
) -> dict[str, list[dict[str, NDArray[np.float64]]]]:
    """Logits of every set, by way of learning and seed; each set by a federation without its molecule."""
    found: dict[str, list[dict[str, NDArray[np.float64]]]] = {}
    for seed in seeds:
        for left_out, judges in _left_out(sets):
            path = kept / f"{left_out}-{seed}.npz"
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                parts = _parts(sets, left_out)
                vectors = dict(_ways(parts, start, seed))
                arrays = {
                    f"{way}\t{one.name}": logits_of(vector, one.job)
                    for way, vector in vectors.items()
                    for one in judges
                }
                np.savez(path, **arrays)
                say(f"seed {seed}: judged on {left_out}, {len(parts)} sites")
            with np.load(path) as arrays:
                for key in arrays.files:
                    way, name = key.split("\t")
                    of_way = found.setdefault(way, [{} for _ in seeds])
                    of_way[seeds.index(seed)][name] = arrays[key]
    return found


def _left_out(sets: Sequence[RealSet]) -> Iterator[tuple[str, list[RealSet]]]:
    """Each molecule that sites have, with all its sets; then, together, the molecules that no site has."""
    owned = {name for names in SITES.values() for name in names}
    molecules = dict.fromkeys(one.molecule for one in sets if one.name in owned)
    for molecule in molecules:
        yield molecule, [one for one in sets if one.molecule == molecule]
    yield "of no site", [one for one in sets if one.molecule not in molecules]


def _parts(sets: Sequence[RealSet], left_out: str) -> dict[str, Labelled]:
    by_name = {one.name: one for one in sets}
    parts = {}
    for site, names in SITES.items():
        mine = [by_name[name] for name in names if name in by_name]
        if mine and all(one.training and one.molecule != left_out for one in mine):
            told = [of_job(one.job, one.good, one.counted & scorable(one.job)) for one in mine]
            parts[site] = Labelled.join(told)
    return parts


def _ways(parts: Mapping[str, Labelled], start: Vector, seed: int) -> Iterator[tuple[str, Vector]]:
    yield "start", start
    steps = ROUNDS * TRAINING.steps
    own = {site: alone(part, TRAINING, steps, start, seed) for site, part in parts.items()}
    yield from ((f"{ALONE}{site}", vector) for site, vector in own.items())
    everything = Labelled.join(list(parts.values()))
    yield "pooled", alone(everything, TRAINING, steps * len(parts), start, seed)
    for name, choice in RULES.items():
        common = federated(parts, start, plan_of(parts, choice, seed))
        yield name, common
        if name == FINISHED:
            yield from (
                (f"{FINISH}{site}", (common + vector) / np.float32(2)) for site, vector in own.items()
            )
    plan = plan_of(parts, RULES["fedavg"], seed)
    yield "fedavg, as a new plan has it", mixed(federated(parts, start, as_new(plan)), start, USUAL.gate.keep)
    smallest = min(len(part) for part in parts.values())
    noise = noise_for(EPSILON, smallest, TRAINING.batch, steps)
    rules = replace(
        plan.guard, private=True, noise_multiplier=noise, max_epsilon=EPSILON * 1.01, send_metrics=False
    )
    yield f"fedavg, private, ε = {EPSILON:g}", federated(parts, start, replace(plan, guard=rules))


def plan_of(parts: Mapping[str, Labelled], choice: StrategyChoice, seed: int) -> Plan:
    """A plan of the product for these sites."""
    return Plan(
        name="real-images",
        seed=seed,
        rounds=RoundRules(count=ROUNDS, min_updates=min(2, len(parts))),
        training=TRAINING,
        strategy=choice,
        sites=tuple(EnrolledSite(name=name, max_examples=2000) for name in parts),
    )


def as_new(plan: Plan) -> Plan:
    """The same sites by what `federation new` writes: fewer rounds, a secret third of the projects."""
    rounds = replace(plan.rounds, count=USUAL.rounds.count)
    return replace(plan, rounds=rounds, training=USUAL.training, guard=USUAL.guard)


def federated(parts: Mapping[str, Labelled], start: Vector, plan: Plan) -> Vector:
    """The common model at the plan's end."""
    with tempfile.TemporaryDirectory() as folder:
        sites = {
            name: Site(name=name, source=_source(part, name), folder=Path(folder) / name)
            for name, part in parts.items()
        }
        anything = next(iter(parts.values()))
        course = follow(plan, sites, start, anything, Path(folder) / "run", every=plan.rounds.count)
    return course.vector


def _source(part: Labelled, name: str) -> InMemory:
    """All averages are trained on: other molecules judge."""
    return InMemory(train=part, held_out=part.take(np.zeros(0, np.int64)), name=name)


def summary(
    sets: Sequence[RealSet], logits: Mapping[str, NDArray[np.float64]]
) -> tuple[float, float, str, float]:
    """Mean AUC over sets of both kinds, the worst of them and its name, and AUC of all on one scale.

    Demonstrations are left out, and the worst needs eight classes of each kind.
    """
    each, scores, good = {}, [], []
    for one in sets:
        told = logits[one.name]
        which = one.counted & np.isfinite(told)
        if one.demonstration:
            continue
        scores.append(told[which])
        good.append(one.good[which])
        if min(one.n_good, one.n_bad):
            each[one.name] = auc(told[which], one.good[which])
    able = {n: a for n, a in each.items() if min(_sizes(sets, n)) >= 8}
    worst = min(able, key=able.__getitem__)
    whole = auc(np.concatenate(scores), np.concatenate(good))
    return float(np.mean(list(each.values()))), able[worst], worst, whole


def _sizes(sets: Sequence[RealSet], name: str) -> tuple[int, int]:
    one = next(one for one in sets if one.name == name)
    return one.n_good, one.n_bad


def table(sets: Sequence[RealSet], found: Mapping[str, Sequence[Mapping[str, NDArray[np.float64]]]]) -> str:
    """Every way of learning: mean and deviation over seeds. A site alone is judged where it may be."""
    lines = [
        "| way | mean AUC | worst set | all on one scale |",
        "|---|---:|---:|---:|",
    ]
    for way, answers in found.items():
        if not way.startswith((ALONE, FINISH)):
            lines.append(_row(way, [summary(sets, one) for one in answers]))
    for name, values in _of_sites(sets, found).items():
        spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
        lines.append(f"| {name} | {np.mean(values):.3f} ± {spread:.3f} | – | – |")
    return "\n".join(lines)


def _of_sites(
    sets: Sequence[RealSet], found: Mapping[str, Sequence[Mapping[str, NDArray[np.float64]]]]
) -> dict[str, list[float]]:
    """Mean AUC of what single sites have, a value for each seed."""
    seeds = range(len(next(iter(found.values()))))
    alone_rows, finish_rows = (
        {way: answers for way, answers in found.items() if way.startswith(kind)} for kind in (ALONE, FINISH)
    )
    return {
        "single sites, mean": [_over_sites(sets, alone_rows, seed, np.mean) for seed in seeds],
        "best single site, picked afterwards": [
            _over_sites(sets, alone_rows, seed, np.max) for seed in seeds
        ],
        f"{FINISHED}, finished at each site, mean": [
            _over_sites(sets, finish_rows, seed, np.mean) for seed in seeds
        ],
    }


def sites_table(
    sets: Sequence[RealSet], found: Mapping[str, Sequence[Mapping[str, NDArray[np.float64]]]]
) -> str:
    """Each site alone beside what it gets back, on the sets of molecules that it does not have."""
    lines = [
        "| site | sets | alone | federated (fedavg) | gain, least of the seeds | finished at the site |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    rows = []
    for way in (way for way in found if way.startswith(ALONE)):
        site = way.removeprefix(ALONE)
        ways = (way, FINISHED, f"{FINISH}{site}")
        seeds = range(len(found[way]))
        names = [
            one
            for one in sets
            if not one.demonstration and min(one.n_good, one.n_bad) and one.name in found[way][0]
        ]
        means = [[float(np.mean([_auc(one, found[w][s]) for one in names])) for s in seeds] for w in ways]
        gains = np.array(means[1]) - np.array(means[0])
        alone_auc, common, finished = (float(np.mean(values)) for values in means)
        rows.append((gains.min(), site, len(names), alone_auc, common, gains.mean(), finished))
    for least, site, count, own, common, mean, finished in sorted(rows):
        lines.append(
            f"| {site} | {count} | {own:.3f} | {common:.3f} | {mean:+.3f}, {least:+.3f} | {finished:.3f} |"
        )
    return "\n".join(lines)


def _auc(one: RealSet, logits: Mapping[str, NDArray[np.float64]]) -> float:
    which = one.counted & np.isfinite(logits[one.name])
    return auc(logits[one.name][which], one.good[which])


def _over_sites(
    sets: Sequence[RealSet],
    rows: Mapping[str, Sequence[Mapping[str, NDArray[np.float64]]]],
    seed: int,
    choose: Callable[[list[float]], float],
) -> float:
    """Mean AUC over sets of the mean, or the best, of the sites that may judge a set."""
    values = []
    for one in sets:
        if one.demonstration or not min(one.n_good, one.n_bad):
            continue
        each = [_auc(one, answers[seed]) for answers in rows.values() if one.name in answers[seed]]
        values.append(float(choose(each)))
    return float(np.mean(values))


def _row(way: str, told: Sequence[tuple[float, float, str, float]]) -> str:
    def over(index: int) -> str:
        values = [float(one[index]) for one in told]
        spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
        return f"{np.mean(values):.3f} ± {spread:.3f}"

    names = ", ".join(sorted({one[2] for one in told}))
    return f"| {way} | {over(0)} | {over(1)} ({names}) | {over(3)} |"


def plot(
    sets: Sequence[RealSet],
    found: Mapping[str, Sequence[Mapping[str, NDArray[np.float64]]]],
    path: Path,
    *,
    dark: bool = False,
) -> None:
    """Mean AUC on molecules that nobody trained on: a dot a seed, a bar for the mean."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = {
        way: [summary(sets, one)[0] for one in answers]
        for way, answers in found.items()
        if not way.startswith((ALONE, FINISH))
    }
    rows |= {name.replace(", ", ",\n"): values for name, values in _of_sites(sets, found).items()}
    order = sorted(rows, key=lambda way: float(np.mean(rows[way])))
    ink, paper = ("#e7e5e4", "#1c1917") if dark else ("#292524", "#ffffff")
    figure, axes = plt.subplots(figsize=(7.5, 0.9 + 0.42 * len(order)), constrained_layout=True)
    figure.set_facecolor(paper)
    axes.set_facecolor(paper)
    low = min(min(values) for values in rows.values())
    for place, way in enumerate(order):
        together = not way.startswith(("single", "best", "start", "pooled"))
        color = "#0d9488" if together else "#a8a29e"
        middle = float(np.mean(rows[way]))
        axes.barh(place, middle - low + 0.02, left=low - 0.02, color=color, height=0.6)
        axes.plot(rows[way], [place] * len(rows[way]), "o", color=ink, ms=4)
        axes.annotate(
            f"{middle:.3f}", (middle, place), (8, 0), textcoords="offset points", va="center", color=ink
        )
    axes.set_yticks(range(len(order)), order, color=ink)
    axes.set_xlim(low - 0.02, 1.02)
    axes.set_xlabel("mean AUC on molecules that no site has; a dot is a seed", color=ink)
    axes.tick_params(colors=ink)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(ink)
    figure.savefig(path, facecolor=paper)
    plt.close(figure)


def key_of(start: Vector) -> str:
    """Names a run: the start, the plan and the sites."""
    facts = json.dumps([vector_hash(start), repr(TRAINING), ROUNDS, sorted(SITES), repr(RULES), repr(USUAL)])
    return hashlib.sha256(facts.encode()).hexdigest()[:12]
