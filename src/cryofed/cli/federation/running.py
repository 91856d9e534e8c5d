"""Run campaigns of a federation and show them as they go."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryofed.cli.federation.first_model import add_first_model, first_model
from cryofed.errors import InputError, MissingPackageError

if TYPE_CHECKING:
    from cryofed.federation.aggregator.campaign import Campaign
    from cryofed.federation.agreement.plan import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Plan, place and start."""
    parser.add_argument("plan", type=Path, help="PLAN.toml")
    parser.add_argument("--engine", help="run on another engine than the plan says")
    parser.add_argument(
        "--home", type=Path, help="the federation's folder (default: beside the plan, named as in the plan)"
    )
    parser.add_argument("--campaigns", type=int, default=1, help="how many (default: %(default)s)")
    add_first_model(parser)


def run(options: argparse.Namespace) -> None:
    """Run, then write a report."""
    from cryofed.federation.aggregator.campaign import next_campaign
    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.federation.engines.deployment import deployment_of
    from cryofed.federation.telling.campaign_report import write_report
    from cryofed.federation.telling.tracking import tracking

    plan = read_plan(options.plan)
    if options.engine:
        plan = replace(plan, engine=options.engine)
    engine = deployment_of(plan.engine, "--engine" if options.engine else options.plan)
    engine.check(plan, options.plan)
    if not plan.sites:
        raise InputError(options.plan, "sites", "none", "enroll at least one with a [[sites]] table")
    home = options.home or options.plan.parent / plan.name
    _begin(home, plan, options)
    for _ in range(options.campaigns):
        with tracking(plan, next_campaign(home)[0]) as tracked, Display(plan) as display:
            campaign: Campaign = engine.run(plan, options.plan, home, [display.note, *tracked])
        report = write_report(campaign.folder)
        _say(campaign, report)


def _begin(home: Path, plan: Plan, options: argparse.Namespace) -> None:
    """Make the first release where there is none."""
    from cryofed.federation.releases.store import current_release, first_release

    if current_release(home / "releases") is not None:
        if options.start or options.from_scratch:
            raise InputError(
                home,
                "releases",
                "there already",
                "leave --start and --from-scratch away, or give another --home",
            )
        return
    vector, origin = first_model(options)
    if vector is None:
        if find_spec("torch") is None:
            raise MissingPackageError("torch", "train")
        from cryofed.learning.learner import initial_vector

        vector = initial_vector(plan.seed)
    first_release(home / "releases", vector, {"federation": plan.name, "origin": origin})


def _say(campaign: Campaign, report: Path) -> None:
    decision, release = campaign.decision, campaign.release
    if decision.promoted:
        print(
            f"campaign {campaign.number}: release {release.number} promoted, {decision.metric} "
            f"{decision.pooled_current:.4f} -> {decision.pooled_candidate:.4f} on held-out projects"
        )
    else:
        print(f"campaign {campaign.number}: release {release.number} stays; {'; '.join(decision.stopped_by)}")
    for site, times in differing_sites(campaign.folder).items():
        print(
            f"{site}: its answers at the gate went against the others' in the last {times} campaigns; "
            "look at its data with its owner, or leave it out of the plan"
        )
    print(f"model: {release.path / 'model.onnx'}")
    print(f"report: {report}")


def differing_sites(folder: Path) -> Mapping[str, int]:
    """Sites whose answers at the gate always differ from the others', as this campaign's gate noted."""
    from cryofed.disk.documents import read_document

    told: Mapping[str, int] = read_document(folder / "gate.json").get("differs", {})
    return told


class Display:
    """Owns the progress bar on stderr."""

    def __init__(self, plan: Plan) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=not self.console.is_terminal,
        )
        self.rounds = self.progress.add_task("rounds", total=plan.rounds.count, told="")
        self.answers = self.progress.add_task("answers", total=None, told="")

    def __enter__(self) -> Display:
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        """Show one event of the rounds."""
        if event in ("started", "resumed"):
            self.progress.update(self.rounds, completed=facts["round"] - 1)
        elif event == "round_started":
            self.progress.update(self.answers, completed=0, total=len(facts["asked"]), told="")
        elif event in ("update_accepted", "site_trained", "update_refused", "site_lost"):
            self.progress.advance(self.answers)
            if "reason" in facts:
                self.progress.console.print(f"round {facts['round']}: {facts['site']} {facts['reason']}")
        elif event == "round_failed":
            missing = ", ".join(f"{site} {why}" for site, why in facts["missing"].items())
            self.progress.console.print(f"round {facts['round']}: no quorum ({missing}); trying again")
        elif event == "site_left_out":
            self.progress.console.print(
                f"{facts['site']}: its process died again; left out for {facts['seconds']:.0f} s, "
                "its own log says why"
            )
        elif event == "round_closed":
            auc = "" if facts["auc"] is None else f"AUC {facts['auc']:.4f}"
            self.progress.update(self.rounds, completed=facts["round"], told=auc)
