"""`python -m benchmarks attacks [PART…]`: what an update, and a release, tells an attacker.

Parts: inversion, images, usual, unseen, known, again, larger, few, head, noised, twice, membership, four,
short, page.
Each part writes its figures into build/bench-attacks/ and is not done again while they lie there; `page`
puts the tables into docs/security.md; a table of which nothing was measured stays. Without a word: all of
them, some hours of one processor. What a hostile site does to the model is measured by `make
bench-strategies` (docs/strategies.md).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.attacks.averages import CACHE, JOBS, ROOT, averages, shipped
from benchmarks.attacks.page import tables
from benchmarks.measuring.page import write_between
from cryofed.disk.whole import write_whole
from cryofed.federation.agreement.plan import HEAD_ALONE, USUAL, WHOLE, LocalTraining
from cryofed.federation.agreement.rules import GuardRules

SEEDS = (1, 2, 3, 4)
OF_UPDATES = 24  # jobs
LARGER = 192  # jobs that releases are made of, in all
UNSEEN = 240  # number of the first job that had no part in the choice of the plan
PAIRS = 8  # of releases; the jobs of one are those that the other did not have
MANY = 40  # pairs, where a site's secret draw adds to chance
SHORT = 4  # pairs
STEPS = 10  # where the whole network is trained: a site has 200 averages, a third of what 30 steps are for
ITERATIONS = 200
HEAD_ROUNDS = 12  # of `benchmarks real federation`
AGAIN = 3  # campaigns


def inversion() -> object:
    """Updates of four plans: embedding and features, labels."""
    from benchmarks.attacks.inversion import ATTEMPTS, attacked

    pool, start = averages(OF_UPDATES), shipped()
    return {one.name: attacked(one, start, pool, SEEDS) for one in ATTEMPTS}


def images() -> object:
    """The same updates: pictures, of one draw."""
    from benchmarks.attacks.inversion import ATTEMPTS, pictured

    pool, start = averages(OF_UPDATES), shipped()
    return {one.name: pictured(one, start, pool, ITERATIONS, SEEDS[0]) for one in ATTEMPTS}


def usual() -> object:
    """Releases by the plan that `cryofed federation new` writes, in five sets of eight pairs."""
    return _releases("usual", range(1, 1 + MANY), rules=USUAL.guard)


def unseen() -> object:
    """The same of other jobs, which nobody had looked at when the plan was chosen."""
    return _releases("unseen", range(1, 1 + MANY), rules=USUAL.guard, first=UNSEEN)


def known() -> object:
    """Those of the first jobs, by an attacker who has them all."""
    return _releases("usual", range(1, 1 + MANY), rules=USUAL.guard, known=MANY)


def again() -> object:
    """The same after three campaigns, each of which draws anew."""
    return _releases("again", range(1, 1 + MANY), rules=USUAL.guard, campaigns=AGAIN)


def larger() -> object:
    """The same of four times the jobs."""
    return _releases("larger", range(1, 1 + PAIRS), rules=USUAL.guard, jobs=LARGER)


def membership() -> object:
    """The same draws by the plan that `cryofed federation new --whole` writes."""
    return _releases("plain", range(1, 1 + PAIRS), WHOLE.rounds.count, LocalTraining(steps=STEPS))


def four() -> object:
    """The first four pairs of these, to compare: an attacker who has fewer releases reads less."""
    return _releases("plain", range(1, 1 + SHORT), WHOLE.rounds.count, LocalTraining(steps=STEPS))


def head() -> object:
    """The same draws by the plan of `benchmarks real federation`: all projects, in more rounds."""
    return _releases("head", range(1, 1 + PAIRS), HEAD_ROUNDS)


def few() -> object:
    """The plan that `cryofed federation new` writes, where all projects are trained with."""
    return _releases("few", range(1, 1 + PAIRS))


def short() -> object:
    """The same with a third of the steps."""
    return _releases("short", range(1, 1 + SHORT), WHOLE.rounds.count, LocalTraining(steps=STEPS // 3))


def noised() -> object:
    """The plan of `benchmarks real federation` with noise in every step."""
    return _releases("noised", range(1, 1 + PAIRS), HEAD_ROUNDS, rules=GuardRules(noised=True))


def twice() -> object:
    """The same with twice the noise."""
    rules = GuardRules(noised=True, noise_multiplier=2 * GuardRules().noise_multiplier)
    return _releases("twice", range(1, 1 + PAIRS), HEAD_ROUNDS, rules=rules)


def _releases(
    kind: str,
    seeds: Sequence[int],
    rounds: int = USUAL.rounds.count,
    training: LocalTraining = HEAD_ALONE,
    *,
    rules: GuardRules | None = None,
    campaigns: int = 1,
    jobs: int = JOBS,
    first: int = 0,
    known: int = PAIRS,
) -> object:
    from benchmarks.attacks.membership import figures, kept_pair

    pool, start = averages(jobs, first), shipped()
    pairs = {}
    for seed in np.random.default_rng(os.getpid()).permutation(seeds):  # several processes share the work
        path = CACHE / f"{kind}-{seed}"
        pairs[int(seed)] = kept_pair(
            path,
            pool,
            start,
            training=training,
            rounds=rounds,
            seed=int(seed),
            rules=rules or GuardRules(),
            campaigns=campaigns,
        )
    return figures(pool, start, [pairs[seed] for seed in seeds], known)


PARTS: dict[str, Callable[[], object]] = {
    "inversion": inversion,
    "images": images,
    "usual": usual,
    "unseen": unseen,
    "known": known,
    "again": again,
    "larger": larger,
    "few": few,
    "head": head,
    "noised": noised,
    "twice": twice,
    "membership": membership,
    "four": four,
    "short": short,
}


def main(arguments: list[str] | None = None) -> None:
    """Measure what is not there yet, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks attacks", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[[], *PARTS, "page"], help="default: all")
    options = parser.parse_args([] if arguments is None else arguments)
    CACHE.mkdir(parents=True, exist_ok=True)
    for name in options.part or [*PARTS, "page"]:
        if name == "page":
            found = {one: _told(one) for one in PARTS}
            write_between(ROOT / "docs/security.md", tables(found))
            print(f"wrote the tables of {ROOT / 'docs/security.md'}")
        elif not (CACHE / f"{name}.json").exists():
            begun = time.process_time()
            told = PARTS[name]()
            write_whole(CACHE / f"{name}.json", json.dumps(told, indent=1).encode())
            print(f"{name}: {time.process_time() - begun:.0f} s of processor time", flush=True)


def _told(name: str) -> Any:
    path = CACHE / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None
