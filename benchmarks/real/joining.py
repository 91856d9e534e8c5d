"""What do a few labs make of a model that is good already? The start of every real federation.

The start is a training of ours that saw real averages of half of the molecules, and is calibrated. The labs
of `federation.SITES` whose molecules are in the other half join it; those of one molecule stay out. What
judges was seen neither by the start nor by a lab. Each lab holds out too little to say how far its training
moved the logits, so that a release keeps the start's calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.real.federation import RULES, SITES, as_new, federated, plan_of
from benchmarks.real.folds import HALVES
from benchmarks.real.ours import Bench, Told, calibration_of, decided, real_left_out, seen_of
from benchmarks.real.recipe import of_job
from benchmarks.real.sets import RealSet
from benchmarks.real.table import Answer, Summary, mean_of, side_by_side, summarize
from cryofed.federation.aggregator.campaign import mixed
from cryofed.federation.agreement.plan import USUAL
from cryofed.learning.vector import Vector, vector_hash
from cryofed.library.labelled import Labelled
from cryofed.scoring.scorer import scorable

FEWEST_LABS = 3
KEEPS = (0.5, 0.0)  # of the start in the candidate, `gate.keep`, beside what a new plan says
NEXT = 100  # from a campaign's seed to the next one's


def joined(
    bench: Bench, seeds: Sequence[int], kept: Path, say: Callable[[str], None]
) -> dict[str, list[dict[str, Answer]]]:
    """Scores and decisions on every set that can be judged, by way of learning and seed."""
    found: dict[str, list[dict[str, Answer]]] = {}
    for seed in seeds:
        told = {one.name: one for one in real_left_out(bench, [seed], HALVES)}
        for half in HALVES:
            start = bench.vector(half, seed)
            for sets_of, judged in federations(bench.sets, half):
                labs = {lab: _labelled(mine) for lab, mine in sets_of.items()}
                names = [one.name for one in judged]
                trained = _trained(bench, labs, start, seed, kept)
                say(f"seed {seed}, {half}: {len(labs)} labs, judged on {', '.join(names)}")
                for way, vector in _ways(start, trained):
                    answers = found.setdefault(way, [{} for _ in seeds])[seeds.index(seed)]
                    for one in judged:
                        answers[one.name] = _answer(told[one.name], vector, list(told.values()))
    return found


def table(sets: Sequence[RealSet], found: Mapping[str, Sequence[Mapping[str, Answer]]]) -> str:
    """A line for each way."""
    return side_by_side({way: _mean(sets, answers) for way, answers in found.items()})


def _mean(sets: Sequence[RealSet], answers: Sequence[Mapping[str, Answer]]) -> Summary:
    return mean_of([summarize(sets, one) for one in answers])


def federations(
    sets: Sequence[RealSet], half: str
) -> Iterator[tuple[dict[str, list[RealSet]], list[RealSet]]]:
    """The labs of a half without those of one molecule, and that molecule's sets.

    Last all labs, and the sets of molecules that no lab has.
    """
    by_name = {one.name: one for one in sets}
    unseen = HALVES[half].molecules
    labs = {
        lab: [by_name[name] for name in names if name in by_name and by_name[name].training]
        for lab, names in SITES.items()
    }
    labs = {lab: mine for lab, mine in labs.items() if mine and mine[0].molecule in unseen}
    owned = list(dict.fromkeys(mine[0].molecule for mine in labs.values()))
    for molecule in [*owned, None]:
        taking = {lab: mine for lab, mine in labs.items() if mine[0].molecule != molecule}
        judged = [
            one
            for one in sets
            if one.molecule in unseen
            and (one.molecule == molecule if molecule else one.molecule not in owned)
        ]
        if judged and len(taking) >= FEWEST_LABS:
            yield taking, judged


def _labelled(mine: Sequence[RealSet]) -> Labelled:
    return Labelled.join([of_job(one.job, one.good, one.counted & scorable(one.job)) for one in mine])


def _trained(
    bench: Bench, labs: Mapping[str, Labelled], start: Vector, seed: int, kept: Path
) -> dict[str, Vector]:
    """The common model at the end, by plan; from the kept file where there is one."""
    path = kept / f"{'-'.join(sorted(labs))}-{vector_hash(start)[:12]}-{seed}.npz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        plan = plan_of(labs, RULES["fedavg"], seed)
        new = federated(labs, start, as_new(plan))
        again = as_new(plan_of(labs, RULES["fedavg"], seed + NEXT))
        second = federated(labs, mixed(new, start, USUAL.gate.keep), again)
        np.savez(path, new=new, second=second, long=federated(labs, start, plan))
    with np.load(path) as arrays:
        return dict(arrays)


def _ways(start: Vector, trained: Mapping[str, Vector]) -> Iterator[tuple[str, Vector]]:
    yield "start", start
    usual = USUAL.gate.keep
    first = mixed(trained["new"], start, usual)
    yield "a new plan", first
    yield "a new plan, the next campaign as well", mixed(trained["second"], first, usual)
    for keep in KEEPS:
        yield f"a new plan, keep {keep:g}", mixed(trained["new"], start, keep)
    yield "twelve rounds, all projects, keep 0", trained["long"]


def _answer(one: Told, vector: Vector, told: Sequence[Told]) -> Answer:
    logits, looked = seen_of(vector, one.job)
    return decided(replace(one, logits=logits, looks=looked), calibration_of(told, one))
