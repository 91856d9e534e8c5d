"""`python -m benchmarks attacks [PART…]`: what an update, and a release, tells an attacker.

Parts: inversion, images, membership, four, head, few, short, noised, twice, page.
Each part writes its figures into build/bench-attacks/ and is not done again while they lie there; `page`
puts the tables into docs/security.md; a table of which nothing was measured stays. Without a word: all of
them, about an hour of one processor. What a hostile site does to the model is measured by `make
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

from benchmarks.attacks.averages import CACHE, ROOT, averages, shipped
from benchmarks.attacks.page import tables
from benchmarks.measuring.page import write_between
from cryofed.disk.whole import write_whole
from cryofed.federation.agreement.plan import HEAD_ALONE, HEAD_ROUNDS, LocalTraining
from cryofed.federation.agreement.rules import GuardRules

SEEDS = (1, 2, 3, 4)
JOBS = 24  # that updates are made of
PAIRS = 8  # of releases; the jobs of one are those that the other did not have
SHORT = 4  # pairs
STEPS = 10  # of membership's plan: a site has 200 averages, a third of what 30 steps are for
ITERATIONS = 200
ROUNDS = 10  # of the default plan
FEW_ROUNDS = 4


def inversion() -> object:
    """Updates of four plans: embedding and features, labels."""
    from benchmarks.attacks.inversion import ATTEMPTS, attacked

    pool, start = averages(JOBS), shipped()
    return {one.name: attacked(one, start, pool, SEEDS) for one in ATTEMPTS}


def images() -> object:
    """The same updates: pictures, of one draw."""
    from benchmarks.attacks.inversion import ATTEMPTS, pictured

    pool, start = averages(JOBS), shipped()
    return {one.name: pictured(one, start, pool, ITERATIONS, SEEDS[0]) for one in ATTEMPTS}


def membership() -> object:
    """Releases of sixteen draws, by the default plan."""
    return _releases("plain", range(1, 1 + PAIRS))


def four() -> object:
    """The first four pairs of these, to compare: an attacker who has fewer releases reads less."""
    return _releases("plain", range(1, 1 + SHORT))


def head() -> object:
    """The same draws, where the head alone is trained, by the plan of `benchmarks real federation`."""
    return _releases("head", range(1, 1 + PAIRS), HEAD_ROUNDS, HEAD_ALONE)


def few() -> object:
    """The same in fewer rounds."""
    return _releases("few", range(1, 1 + PAIRS), FEW_ROUNDS, HEAD_ALONE)


def short() -> object:
    """The first of these draws by the default plan, with a third of the steps."""
    return _releases("short", range(1, 1 + SHORT), training=LocalTraining(steps=STEPS // 3))


def noised() -> object:
    """The same draws by the plan that `cryofed federation new --noised` writes."""
    return _releases("noised", range(1, 1 + PAIRS), HEAD_ROUNDS, HEAD_ALONE, GuardRules(noised=True))


def twice() -> object:
    """The same with twice the noise."""
    rules = GuardRules(noised=True, noise_multiplier=2 * GuardRules().noise_multiplier)
    return _releases("twice", range(1, 1 + PAIRS), HEAD_ROUNDS, HEAD_ALONE, rules)


def _releases(
    kind: str,
    seeds: Sequence[int],
    rounds: int = ROUNDS,
    training: LocalTraining | None = None,
    rules: GuardRules | None = None,
) -> object:
    from benchmarks.attacks.membership import figures, kept_pair

    pool, start = averages(), shipped()
    pairs = {}
    for seed in np.random.default_rng(os.getpid()).permutation(seeds):  # several processes share the work
        path = CACHE / f"{kind}-{seed}"
        pairs[int(seed)] = kept_pair(
            path,
            pool,
            start,
            training=training or LocalTraining(steps=STEPS),
            rounds=rounds,
            seed=int(seed),
            rules=rules or GuardRules(),
        )
    return figures(pool, start, [pairs[seed] for seed in seeds])


PARTS: dict[str, Callable[[], object]] = {
    "inversion": inversion,
    "images": images,
    "membership": membership,
    "four": four,
    "head": head,
    "few": few,
    "short": short,
    "noised": noised,
    "twice": twice,
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
