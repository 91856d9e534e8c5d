"""Forgetting over six campaigns in which new molecules appear, and what helps against it.

Four sites (one joins in campaign 3, one leaves after campaign 4) get new jobs of another family of
molecules before each campaign. After each campaign the release is measured on held-out molecules of every
family. The network is the small one of the strategies' benchmark on pictures of 32 × 32; remedies are
compared with each other, not with the shipped model. Each seed and remedy is kept in a cache, so that a
run that was stopped goes on; then the table and plot of docs/continual.md are written.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.federations.cells import Cell, network_of
from cryofed.federation.aggregator.campaign import mixed
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.gate import Measured, decide
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import (
    EnrolledSite,
    GateRules,
    LocalTraining,
    Plan,
    RoundRules,
    StrategyChoice,
)
from cryofed.federation.engines.embedded.carrier import embedded
from cryofed.federation.site.answering import InMemory, Site
from cryofed.federation.site.trainer import one_thread
from cryofed.learning.learner import evaluate, initial_vector, layout
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.features import FEATURES
from cryofed.scoring.prepare import prepare_job
from cryofed.scoring.scorer import scorable
from cryofed.simulation.classes.job import simulate_job
from cryofed.simulation.molecules.shapes import random_molecule
from cryofed.simulation.spec import random_spec

ROOT = Path(__file__).parent.parent
CACHE = Path(os.environ.get("CRYOFED_BENCH_CACHE", ROOT / "build")) / "bench-continual"
FAMILIES = (
    ("large",), ("small", "lobes"), ("membrane",), ("filament", "rod"), ("cyclic", "dihedral"), ("chain",),
)  # fmt: skip
SITES = ("north", "east", "south", "west")
JOBS, HELD_OUT, TEST = 3, 1, 6  # per site and campaign; test jobs per family
SIDE = 32
REMEDIES = {
    "nothing": "new jobs only",
    "proximal": "new jobs only, proximal term",
    "averaging": "new jobs only, old and new weights averaged",
    "rehearsal": "the whole library (what CryoFed does)",
    "both": "the whole library, old and new weights averaged",
}
PAGE = ROOT / "docs" / "continual.md"


def job(kinds: tuple[str, ...], entropy: list[int]) -> Labelled:
    """One simulated job of one of these kinds, labelled by its truth, borderline classes left out."""
    rng = np.random.default_rng(entropy)
    molecule = random_molecule(rng, "molecule", str(rng.choice(kinds)))
    spec = replace(random_spec(rng, "job", (molecule,), (48, 64)), negative_stain=False)
    made = simulate_job(spec, np.random.SeedSequence([*entropy, 1]))
    usable = scorable(made.job) & ~made.truth.borderline
    n = int(usable.sum())
    images = prepare_job(made.job)[usable]
    step = images.shape[-1] // SIDE
    small = images.reshape(n, SIDE, step, SIDE, step).mean(axis=(2, 4))
    return Labelled(
        images=small.astype(np.float16),
        features=np.full((n, len(FEATURES)), np.nan, np.float32),  # images alone: the harder task
        target=made.truth.quality[usable].astype(np.float32),
        good=made.truth.good[usable],
        reason=made.truth.reason[usable],
        job=np.zeros(n, np.int64),
        project=np.zeros(n, np.int64),
    )


def present(campaign: int) -> list[str]:
    """North and east are always there, south leaves after campaign 4, west joins in campaign 3."""
    return ["north", "east"] + (["south"] if campaign <= 4 else []) + (["west"] if campaign >= 3 else [])


def stocks(seed: int) -> dict[tuple[str, int], InMemory]:
    """What each site gets before each campaign."""
    made = {}
    for number, site in enumerate(SITES):
        for campaign in range(1, 7):
            jobs = [job(FAMILIES[campaign - 1], [seed, number, campaign, i]) for i in range(JOBS + HELD_OUT)]
            made[site, campaign] = InMemory(Labelled.join(jobs[:JOBS]), Labelled.join(jobs[JOBS:]))
    return made


def plan(sites: list[str], seed: int, mu: float) -> Plan:
    """Three rounds of 20 small batches."""
    strategy = StrategyChoice(name="fedprox", parameters={"pull": mu}) if mu else StrategyChoice()
    return Plan(
        name="continual",
        seed=seed,
        rounds=RoundRules(count=3),
        strategy=strategy,
        training=LocalTraining(
            steps=20, batch=32, learning_rate=1e-3, last_rate=1.0, augment=False, feature_dropout=0.0
        ),
        gate=GateRules(site_tolerance=0.02),
        sites=tuple(EnrolledSite(name=name) for name in sites),
    )


def rounds_of(agreed: Plan, sources: dict[str, InMemory], start: Vector) -> Vector:
    """One campaign's rounds."""
    with TemporaryDirectory() as folder:
        sites = {name: Site(name=name, source=source) for name, source in sources.items()}
        with (
            open_rounds(Path(folder), agreed, layout(), start, patient=True) as rounds,
            embedded(agreed, sites, inline=True) as carrier,
        ):
            run_rounds(rounds, carrier)
            return rounds.vector


def six_campaigns(
    seed: int, made: dict[tuple[str, int], InMemory], tests: list[Labelled], remedy: str
) -> dict[str, object]:
    """AUC `[campaign][family]` of the release after each campaign, and what the gate would have said."""
    vector, table, gates = initial_vector(seed), [], []
    for campaign in range(1, 7):
        sources = {}
        for site in present(campaign):
            # Rehearsal trains on the whole library; the others have only what is new.
            first = 1 if remedy in ("rehearsal", "both") else campaign
            known = [made[site, c] for c in range(first, campaign + 1)]
            sources[site] = InMemory(
                Labelled.join([part.train for part in known]),
                Labelled.join([made[site, c].held_out for c in range(1, campaign + 1)]),
            )
        mu = 0.1 if remedy == "proximal" and campaign > 1 else 0.0
        trained = rounds_of(plan(present(campaign), seed + campaign, mu), sources, vector)
        if remedy in ("averaging", "both") and campaign > 1:
            trained = mixed(trained, vector, 0.5)
        measured = {
            site: Measured(
                candidate=evaluate(trained, source.held_out).auc,
                current=evaluate(vector, source.held_out).auc,
                held_out=len(source.held_out),
            )
            for site, source in sources.items()
        }
        gates.append(decide(measured, GateRules(site_tolerance=0.02)).promoted)
        vector = trained
        table.append([round(evaluate(vector, test).auc, 4) for test in tests])
    return {"auc": table, "gate_would_promote": gates}


def forgetting(table: np.ndarray) -> float:
    """Mean over the first five families of the best AUC since they came minus the AUC at the end."""
    return float(np.mean([table[k:, k].max() - table[-1, k] for k in range(5)]))


def result(seed: int, remedy: str) -> dict[str, Any]:
    """Six campaigns, from the cache or run now."""
    path = CACHE / f"{remedy}-{seed}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with one_thread(), network_of(Cell()):
            told = six_campaigns(seed, _stocks(seed), _tests(seed), remedy)
        path.write_text(json.dumps(told))
    return dict(json.loads(path.read_text()))


@cache
def _stocks(seed: int) -> dict[tuple[str, int], InMemory]:
    return stocks(seed)


@cache
def _tests(seed: int) -> list[Labelled]:
    return [
        Labelled.join([job(kinds, [seed, 99, number, i]) for i in range(TEST)])
        for number, kinds in enumerate(FAMILIES)
    ]


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """A row per remedy, means over seeds and their deviation."""
    lines = [
        "| trained on | mean AUC at the end | forgetting | AUC on the newest family | gate passes (of 6) |",
        "|---|---|---|---|---|",
    ]
    for remedy, told in results.items():
        tables = [np.array(one["auc"]) for one in told]
        ends = [one[-1].mean() for one in tables]
        lost = [forgetting(one) for one in tables]
        newest = [np.mean([one[c, c] for c in range(6)]) for one in tables]
        cells = [
            f"{np.mean(v):.3f}" + (f" ± {np.std(v, ddof=1):.3f}" if len(v) > 1 else "")
            for v in (ends, lost, newest)
        ]
        passes = np.mean([sum(one["gate_would_promote"]) for one in told])
        lines.append(f"| {REMEDIES[remedy]} | {' | '.join(cells)} | {passes:.1f} |")
    return "\n".join(lines)


def plot(results: dict[str, list[dict[str, Any]]]) -> None:
    """AUC on the families that have come so far, campaign by campaign."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 3.8), constrained_layout=True)
    for remedy, told in results.items():
        known = [[np.mean(one["auc"][c][: c + 1]) for c in range(6)] for one in told]
        axes.plot(range(1, 7), np.mean(known, axis=0), marker=".", label=REMEDIES[remedy])
    axes.set(xlabel="campaign", ylabel="AUC, mean over the families so far")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(PAGE.parent / "images" / "continual.png", dpi=130)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> None:
    """Run all remedies and write docs/continual.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.continual", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="run seeds 1 to this (default 3)")
    parser.add_argument("--minutes", type=float, default=1e9, help="start nothing after so many minutes")
    options = parser.parse_args([] if arguments is None else arguments)
    end = time.monotonic() + 60 * options.minutes
    results: dict[str, list[dict[str, Any]]] = {remedy: [] for remedy in REMEDIES}
    for seed in range(1, options.seeds + 1):
        for remedy, told in results.items():
            if time.monotonic() > end:
                raise SystemExit("stopped after --minutes; run again to go on")
            told.append(result(seed, remedy))
            print(f"seed {seed}, {remedy}: {np.round(told[-1]['auc'][-1], 3)}", flush=True)
    text = PAGE.read_text(encoding="utf-8")
    first, last = text.index("<!-- begin table -->") + 20, text.index("<!-- end table -->")
    told = f"{table(results)}\n\nSeeds: {options.seeds}.\n\n![AUC by campaign](images/continual.png)"
    PAGE.write_text(f"{text[:first]}\n{told}\n{text[last:]}", encoding="utf-8")
    plot(results)


if __name__ == "__main__":
    main(sys.argv[1:])
