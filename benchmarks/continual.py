"""Forgetting over six campaigns in which new molecules appear, and what helps against it.

Four sites (one joins in campaign 3, one leaves after campaign 4) get new jobs of another family of
molecules before each campaign. After each campaign the release is measured on held-out molecules of every
family. Images are shrunk to 32 pixels, so that a run takes minutes; remedies are compared with each other,
not with the shipped model.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cryofed.federation.campaign import mixed
from cryofed.federation.engines.embedded import embedded
from cryofed.federation.engines.port import run_rounds
from cryofed.federation.gate import Measured, decide
from cryofed.federation.plan import EnrolledSite, GateRules, LocalTraining, Plan, RoundRules, StrategyChoice
from cryofed.federation.rounds import open_rounds
from cryofed.federation.site import InMemory, Site
from cryofed.federation.site_learner import one_thread
from cryofed.learning.learner import evaluate, initial_vector, layout
from cryofed.learning.vector import Vector
from cryofed.library.labelled import Labelled
from cryofed.scoring.features import FEATURES
from cryofed.scoring.prepare import prepare_job
from cryofed.scoring.scorer import scorable
from cryofed.simulation.job import simulate_job
from cryofed.simulation.shapes import random_molecule
from cryofed.simulation.spec import random_spec

FAMILIES = (
    ("large",), ("small", "lobes"), ("membrane",), ("filament", "rod"), ("cyclic", "dihedral"), ("chain",),
)  # fmt: skip
SITES = ("north", "east", "south", "west")
JOBS, HELD_OUT, TEST = 3, 1, 6  # per site and campaign; test jobs per family
SIDE = 32
OUT = Path(__file__).parent.parent / "docs" / "continual.json"

Remedy = Callable[[Vector, Vector], Vector]  # old and new release to the one that is used


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
        training=LocalTraining(steps=20, batch=32, augment=False, feature_dropout=0.0),
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
            # "rehearsal" trains on the whole library; the others have only what is new.
            first = 1 if remedy == "rehearsal" else campaign
            known = [made[site, c] for c in range(first, campaign + 1)]
            sources[site] = InMemory(
                Labelled.join([part.train for part in known]),
                Labelled.join([made[site, c].held_out for c in range(1, campaign + 1)]),
            )
        mu = 0.1 if remedy == "proximal" and campaign > 1 else 0.0
        trained = rounds_of(plan(present(campaign), seed + campaign, mu), sources, vector)
        if remedy == "averaging" and campaign > 1:
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


def main(seeds: tuple[int, ...] = (1, 2)) -> None:
    """Run all remedies and print the table of docs/continual.md."""
    began, results = time.process_time(), {}
    with one_thread():
        for seed in seeds:
            made = stocks(seed)
            tests = [
                Labelled.join([job(kinds, [seed, 99, k, i]) for i in range(TEST)])
                for k, kinds in enumerate(FAMILIES)
            ]
            for remedy in ("nothing", "proximal", "averaging", "rehearsal"):
                results[f"{remedy}-{seed}"] = six_campaigns(seed, made, tests, remedy)
                print(f"{remedy} seed {seed}: {time.process_time() - began:.0f} CPU s so far", flush=True)
                OUT.write_text(json.dumps(results, indent=1) + "\n")
    print("| remedy | mean AUC at the end | forgetting | AUC on the newest family | gate passes (of 6) |")
    print("|---|---|---|---|---|")
    for remedy in ("nothing", "proximal", "averaging", "rehearsal"):
        tables = [np.array(results[f"{remedy}-{seed}"]["auc"]) for seed in seeds]
        passes = [sum(results[f"{remedy}-{seed}"]["gate_would_promote"]) for seed in seeds]  # type: ignore[arg-type]
        ends = [table[-1].mean() for table in tables]
        lost = [forgetting(table) for table in tables]
        newest = [np.mean([table[c, c] for c in range(6)]) for table in tables]
        cells = [f"{np.mean(v):.3f} ± {np.std(v):.3f}" for v in (ends, lost, newest)]
        print(f"| {remedy} | {' | '.join(cells)} | {np.mean(passes):.1f} |")


if __name__ == "__main__":
    main()
