"""One campaign: rounds from the current release to a candidate, and the gate."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cryofed.disk.documents import read_document, write_document
from cryofed.disk.lines import read_lines
from cryofed.disk.lock import sole_run
from cryofed.errors import FederationError
from cryofed.federation.aggregator.attested import Asking, Attested, Proving
from cryofed.federation.aggregator.carrier import Carrier, collect, run_rounds
from cryofed.federation.aggregator.evaluation import cross_site_matrix, site_statistics
from cryofed.federation.aggregator.gate import REMEMBERED, Decision, Measured, decide, differing
from cryofed.federation.aggregator.hooks import Hook, tell
from cryofed.federation.aggregator.masked import run_masked_rounds
from cryofed.federation.aggregator.proportion import held
from cryofed.federation.aggregator.rounds import Rounds, open_rounds
from cryofed.federation.agreement.masking import Seal
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.releases.store import (
    Release,
    current_release,
    promote,
    read_release,
    release_numbers,
    sound_release,
    write_release,
)
from cryofed.federation.wire.orders import Numbers, order
from cryofed.learning.vector import Vector, vector_hash
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.carried import Fits, carried
from cryofed.scoring.sharpness import WEIGHT

TOLD = {f"{model}.{number}" for model in (0, 1) for number in ("slope", "offset")}  # candidate, current


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """How a campaign ended."""

    number: int  # from 1
    folder: Path
    decision: Decision
    release: Release  # the current one afterwards


def run_campaign(
    home: Path,
    plan: Plan,
    carrier: Carrier,
    hooks: Sequence[Hook] = (),
    *,
    patient: bool = False,
    agreement: str = "",
    seal: Seal | None = None,
    proving: Proving | None = None,
    asking: Asking | None = None,
) -> Campaign:
    """Run the next campaign of the federation in `home`, or go on with the one that was stopped.

    Called by every engine where its aggregator is. `patient`: see `open_rounds`. `agreement`: hash of the one
    that the sites have accepted. `seal`: in profile masked; `proving`: in profile attested;
    `asking`: where the agreement says what sites must prove.

    Raises:
        FederationError: no release to start from, a round without quorum, another run in this folder.
    """
    releases = home / "releases"
    with sole_run(home):
        number, folder = next_campaign(home)
        start = _start(releases, folder, plan)
        if plan.attested and proving is None:
            raise FederationError(
                f"profile {plan.profile}: this engine does not say how the aggregator proves itself"
            )
        if plan.sites_attest and asking is None:
            raise FederationError("attestation.sites: this engine does not say how sites prove themselves")
        if proving is not None or asking is not None:
            carrier = Attested(
                carrier, plan, start.layout.hash, proving=proving, asking=asking, folder=folder
            )
        listeners = [_log(folder), *hooks]
        with open_rounds(
            folder, plan, start.layout, start.vector, hooks=listeners, patient=patient
        ) as rounds:
            if plan.masked:
                run_masked_rounds(rounds, carrier, _sealed(seal, plan))
            else:
                run_rounds(rounds, carrier)
            candidate = mixed(rounds.vector, start.vector, plan.gate.keep)
            decision, fits = ask_gate(rounds, candidate, carrier, start, plan)
            write_document(folder / "statistics.json", site_statistics(rounds, carrier, plan))
            if plan.gate.cross_site:
                write_document(folder / "cross_site.json", cross_site_matrix(rounds, carrier, plan))
        calibration = calibrated(start.calibration, fits)
        fitted = {"slope": calibration.slope, "offset": calibration.offset}
        verdict = {"campaign": number, "candidate": vector_hash(candidate), "calibration": fitted}
        verdict |= decision.record()
        verdict["differs"] = differing([*_gates_before(home, number), verdict], plan.gate)
        tell(hooks, "gate", verdict)
        release = start
        if decision.promoted:
            facts = _facts(rounds, start, plan, verdict) | {"agreement": agreement}
            release = _release(releases, candidate, calibration, facts, start.path)
        write_document(folder / "gate.json", verdict)
    return Campaign(number=number, folder=folder, decision=decision, release=release)


def _sealed(seal: Seal | None, plan: Plan) -> Seal:
    absent = [name for name in plan.site_names if not (seal and seal.identities.get(name))]
    if seal is None or absent:
        raise FederationError(
            f"profile masked: no key is agreed for {', '.join(absent)}; sites join first, then the agreement "
            "is signed anew: cryofed federation provision PLAN.toml --invite"
        )
    return seal


def _gates_before(home: Path, number: int) -> list[dict[str, Any]]:
    paths = [home / "campaigns" / f"{earlier:04d}" / "gate.json" for earlier in range(1, number)]
    return [read_document(path) for path in paths[-REMEMBERED:] if path.exists()]


def next_campaign(home: Path) -> tuple[int, Path]:
    """Number and folder of the campaign that runs next: the last one, if the gate has not spoken yet."""
    folders = sorted((home / "campaigns").glob("[0-9][0-9][0-9][0-9]"))
    number = int(folders[-1].name) if folders else 1
    if folders and (folders[-1] / "gate.json").exists():
        number += 1
    return number, home / "campaigns" / f"{number:04d}"


def mixed(trained: Vector, old: Vector, keep: float) -> Vector:
    """Old and new weights averaged, `keep` of the old: forgets less, learns less (Wortsman 2022, WiSE-FT)."""
    return ((1 - keep) * trained + keep * old).astype(np.float32) if keep else trained


def ask_gate(
    rounds: Rounds, candidate: Vector, carrier: Carrier, current: Release, plan: Plan
) -> tuple[Decision, list[Fits]]:
    """Let every site evaluate candidate and current release on its held-out projects, and decide.

    Returns:
        The decision, and both models' slope and offset at each site that had enough to fit them.
    """
    both = np.concatenate([candidate, current.vector])  # in this order; see `measured`
    asked = order("evaluate", rounds.round_number, both, **rounds.hashes)
    asked = replace(asked, acknowledged=dict(rounds.acknowledged))
    answers = collect(carrier, asked, list(carrier.present()), plan.rounds.deadline_s)
    measures = measured(answers, plan)
    return decide(measures, plan.gate), _fits(answers[name].values for name in measures)


def _fits(answers: Iterable[Mapping[str, float]]) -> list[Fits]:
    def of(values: Mapping[str, float], model: int) -> tuple[float, float]:
        return values[f"{model}.slope"], values[f"{model}.offset"]

    return [Fits(of(values, 1), of(values, 0)) for values in answers if set(values) >= TOLD]


def calibrated(parent: Calibration, fits: Sequence[Fits]) -> Calibration:
    """The next release's: as its parent's judged, whatever the sites' own jobs and experts are.

    Where no site could fit them the parent's stays, which belongs to a model not far from it. The sites fit
    a logit with the sharpness that it has beside its job.
    """
    return carried(replace(parent, sharpness=WEIGHT), fits) if fits else parent


def measured(answers: Mapping[str, Numbers], plan: Plan) -> dict[str, Measured]:
    """What the sites measured, those left out that had too little to tell.

    Weights are bounded by the site's enrolment, and by the plan's multiple of the middle one.
    """
    metric, measures, weights = plan.gate.metric, dict[str, tuple[float, float, float]](), dict[str, int]()
    for name, numbers in sorted(answers.items()):
        site, values = plan.site(name), numbers.values
        if site is None or not {f"0.{metric}", f"1.{metric}", "0.held_out"} <= set(values):
            continue
        held_out = max(int(values["0.held_out"]), 1)
        weights[name] = min(held_out, site.max_examples) if site.max_examples else held_out
        measures[name] = (values[f"0.{metric}"], values[f"1.{metric}"], _step(values))
    weights = held(weights, plan.gate.times_median)
    return {
        name: Measured(candidate=candidate, current=current, held_out=weights[name], step=step)
        for name, (candidate, current, step) in measures.items()
    }


def _step(values: Mapping[str, float]) -> float:
    """In which a site gives its metric (`site.evaluating.in_steps`), as far as it tells."""
    good = values.get("0.good", 0.0)
    fewest = min(good, values["0.held_out"] - good)
    return 1 / fewest if fewest >= 1 else 0.0


def _start(releases: Path, folder: Path, plan: Plan) -> Release:
    """The current release; for a campaign that goes on, the one that it was begun with."""
    note = folder / "start.json"
    if note.exists():
        return sound_release(releases / f"{read_document(note)['release']:04d}")
    current = current_release(releases)
    if current is None:
        raise FederationError(f"{releases}: no release to start from; make the first one before")
    folder.mkdir(parents=True, exist_ok=True)
    start = {"release": current.number, "model": current.hash, "plan": plan.hash, "name": plan.name}
    write_document(note, start)
    return current


def _facts(rounds: Rounds, start: Release, plan: Plan, gate: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("metric", "pooled_candidate", "pooled_current")
    accepted = [report["accepted"] for report in read_lines(rounds.folder / "rounds.jsonl")]
    counts = {site: facts["examples"] for sites in accepted for site, facts in sites.items()}
    cell = plan.gate.min_cell
    return {
        "parent": start.hash,
        "parent_release": start.number,
        "plan": plan.hash,
        "federation": plan.name,
        "campaign": gate["campaign"],
        "rounds": rounds.progress.state.round_number,
        "strategy": plan.strategy.name,
        "gate": {name: gate[name] for name in kept} | {"sites": len(gate["sites"])},
        "participants": sorted(counts),
        "examples": sum(count // cell * cell for count in counts.values()),  # no finer than the gate's cell
        "privacy": _privacy(plan),
    }


def _privacy(plan: Plan) -> str:
    """What the plan promises; each site's own ledger has what was spent, and may promise more."""
    guard = plan.guard
    steps = f"noise {guard.noise_multiplier:g} at clip {guard.sample_norm:g} per class average"
    drawn = f"; a site trains with {guard.project_share:.0%} of its projects, drawn in secret"
    told = drawn if guard.project_share < 1 else ""
    if not guard.private:
        return "none is promised by the plan" + (f"; every step has {steps}" if guard.noised else "") + told
    return (
        f"DP-SGD at every site: {steps}; at most epsilon {guard.max_epsilon:g} over all campaigns, by each "
        f"site's own ledger{told}"
    )


def _release(
    releases: Path, vector: Vector, calibration: Calibration, facts: Mapping[str, Any], like: Path
) -> Release:
    """Write and promote; a run that was killed in between finds its release again."""
    numbers = release_numbers(releases)
    last = read_release(releases / f"{numbers[-1]:04d}")
    number = last.number if last.card.get("campaign") == facts["campaign"] else last.number + 1
    path = write_release(releases, number, vector, calibration, facts, like=like)
    promote(releases, number, f"gate of campaign {facts['campaign']}")
    return read_release(path)


def _log(folder: Path) -> Hook:
    """Every event as a line of `events.jsonl`, with the time of day; for people who watch."""

    def note(event: str, facts: Mapping[str, Any]) -> None:
        line = {"event": event, "time": round(time.time(), 3), **facts}
        with (folder / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")

    return note
