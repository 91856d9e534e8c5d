"""Was this data set in the training of a release? Whole jobs are in or out; every average is asked about.

Two attackers, who have the release, the model before it, and averages of both kinds:

- *difference*: how much less an average's loss is than with the model that the federation began with;
- *likelihood ratio* (LiRA, Carlini 2022): the same against what models of other draws say, of which some had
  the average and some had not; one normal curve for each.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.averages import halves
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.engines.embedded.carrier import embedded
from cryofed.federation.site.answering import InMemory, Site
from cryofed.federation.site.trainer import one_thread
from cryofed.learning.learner import layout, plain_logits
from cryofed.learning.metrics import auc
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled

Numbers = NDArray[np.float64]

SITES = ("north", "south", "west")
FALSE_ALARMS = 0.01
LOTS = 200  # by which chance is measured
FEWEST = 2  # models with, and without, that a likelihood needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """One release, and who was in it."""

    members: NDArray[np.bool_]
    logits: Numbers


Pair = tuple[Trained, Trained]  # each job is in one of the two


def plan(training: LocalTraining, rounds: int, seed: int) -> Plan:
    """Three sites."""
    return Plan(
        name="attacked",
        seed=seed,
        rounds=RoundRules(count=rounds),
        training=training,
        sites=tuple(EnrolledSite(name=name) for name in SITES),
    )


def release(
    pool: Labelled,
    start: Vector,
    members: NDArray[np.bool_],
    agreed: Plan,
    rules: GuardRules,
    *,
    campaigns: int = 1,
) -> Trained:
    """Train three sites on these averages, and let the release score all of them.

    Each campaign goes on from the release of the one before, and the sites draw anew, as they do when their
    libraries have changed.
    """
    jobs = np.unique(pool.job[members])
    owner = {job: index % len(SITES) for index, job in enumerate(jobs)}
    of_site = np.array([owner.get(job, -1) for job in pool.job])
    none = pool.take(np.zeros(0, np.int64))
    vector = start
    for _ in range(campaigns):
        with tempfile.TemporaryDirectory() as folder:  # and a new secret
            home = Path(folder)
            sites = {
                name: Site(
                    name=name,
                    source=InMemory(train=pool.take(of_site == index), held_out=none, name=name),
                    folder=home / name,
                    policy=rules,
                )
                for index, name in enumerate(SITES)
            }
            with (
                open_rounds(home / "rounds", agreed, layout(), vector, patient=True) as rounds,
                embedded(agreed, sites, inline=True) as carrier,
            ):
                run_rounds(rounds, carrier)
                vector = np.array(rounds.vector)
    with one_thread():
        return Trained(members=members, logits=plain_logits(vector, pool))


def kept_pair(
    path: Path,
    pool: Labelled,
    start: Vector,
    *,
    training: LocalTraining,
    rounds: int,
    seed: int,
    rules: GuardRules,
    campaigns: int,
) -> Pair:
    """Two releases, the second one of the jobs that the first did not have; each is kept in a file."""
    half = halves(pool, seed)
    made = []
    for index, members in enumerate((half, ~half)):
        file = path.with_name(f"{path.name}{'ab'[index]}.npz")
        if not file.exists():
            agreed = plan(training, rounds, 2 * seed + index)
            one = release(pool, start, members, agreed, rules, campaigns=campaigns)
            unfinished = file.with_suffix(f".{os.getpid()}.npz")
            np.savez(unfinished, members=one.members, logits=one.logits)
            unfinished.replace(file)
        with np.load(file, allow_pickle=False) as known:
            made.append(Trained(members=known["members"], logits=known["logits"]))
    return made[0], made[1]


def margin(logits: Numbers, pool: Labelled) -> Numbers:
    """How sure the model is of what is true: the logit, its sign turned where the average is bad."""
    return np.where(pool.good, logits, -logits)


def difference(one: Trained, before: Numbers, pool: Labelled) -> Numbers:
    """Fall of the loss since the model before."""
    return np.logaddexp(0, -margin(before, pool)) - np.logaddexp(0, -margin(one.logits, pool))


def likelihood_ratio(one: Trained, others: Sequence[Trained], pool: Labelled) -> Numbers:
    """LiRA's log ratio, deviations shared by all averages; NaN where too few models had, or lacked, one."""
    had = np.array([other.members for other in others])
    said = np.array([margin(other.logits, pool) for other in others])
    means, spreads = [], []
    for which in (had, ~had):
        count = which.sum(axis=0)
        mean = (said * which).sum(axis=0) / np.maximum(count, 1)
        spread = ((said - mean) ** 2 * which).sum() / max((count - 1).clip(0).sum(), 1)
        means.append(np.where(count >= FEWEST, mean, np.nan))
        spreads.append(spread + 1e-12)
    own = margin(one.logits, pool)
    inside, outside = (
        -((own - m) ** 2) / (2 * s) - np.log(s) / 2 for m, s in zip(means, spreads, strict=True)
    )
    return inside - outside


def caught(scores: Numbers, members: NDArray[np.bool_]) -> tuple[float, float]:
    """AUC, and the share of members found while one in a hundred others is accused."""
    known = np.isfinite(scores)
    scores, members = scores[known], members[known]
    line = np.quantile(scores[~members], 1 - FALSE_ALARMS)
    return auc(scores, members), float((scores[members] > line).mean())


def told(pool: Labelled, before: Numbers, pairs: Sequence[Pair]) -> dict[str, list[float]]:
    """Per release: AUC and share found of both attackers.

    An attacker has all releases but the pair of the one that is asked: in these each job is as often in as
    out, so that how often it was in the others tells nothing of this one.
    """
    figures: dict[str, list[float]] = {}
    for index, pair in enumerate(pairs):
        others = [one for other in (*pairs[:index], *pairs[index + 1 :]) for one in other]
        for one in pair:
            scores = {"difference": difference(one, before, pool)}
            if len(others) >= 2 * FEWEST:
                scores["likelihood ratio"] = likelihood_ratio(one, others, pool)
            for name, score in scores.items():
                area, share = caught(score, one.members)
                figures.setdefault(f"{name} auc", []).append(area)
                figures.setdefault(f"{name} found", []).append(share)
    return figures


def chance(pool: Labelled, before: Numbers, pairs: Sequence[Pair]) -> dict[str, list[float]]:
    """The same, on average over the releases, where who was in them is drawn by lot: once for each lot.

    Averages of one job are in or out together, so that chance is wider than the averages' number says.
    """
    figures: dict[str, list[float]] = {}
    for lot in range(LOTS):
        drawn = []
        for index, (one, other) in enumerate(pairs):
            half = halves(pool, 1000 * (lot + 1) + index)
            drawn.append((replace(one, members=half), replace(other, members=~half)))
        for name, values in told(pool, before, drawn).items():
            figures.setdefault(f"{name} by chance", []).append(statistics.mean(values))
    return figures


def figures(pool: Labelled, start: Vector, pairs: Sequence[Pair], known: int) -> dict[str, list[float]]:
    """Both attackers' figures, what chance gives, and each release's own AUC on jobs in and out of it.

    An attacker has `known` pairs: of more, one after the other is attacked with those of its own set.
    """
    with one_thread():
        before = plain_logits(start, pool)
    figures: dict[str, list[float]] = {}
    for first in range(0, len(pairs), known):
        some = pairs[first : first + known]
        for name, values in (told(pool, before, some) | chance(pool, before, some)).items():
            figures.setdefault(name, []).extend(values)
    figures["model auc before"] = [auc(before, pool.good)]
    for one in (one for pair in pairs for one in pair):
        for who, them in (("members", one.members), ("others", ~one.members)):
            figures.setdefault(f"model auc {who}", []).append(auc(one.logits[them], pool.good[them]))
    return figures
