"""Run campaigns of a federation and show them as they go."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryofed.cli.federation.first_model import add_first_model
from cryofed.cli.numbers import count

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
    parser.add_argument("--campaigns", type=count, default=1, help="how many (default: %(default)s)")
    parser.add_argument(
        "--device",
        help="where sites of this machine train: auto, cpu, cuda or mps (default: as the plan's [embedded] "
        "table says, auto); sites of their own machines say it in site.toml",
    )
    add_first_model(parser)


def run(options: argparse.Namespace) -> None:
    """Run, then write a report."""
    from cryofed.federation.running import make_ready, run_next

    ready = make_ready(
        options.plan,
        home=options.home,
        engine=options.engine,
        device=options.device,
        start=options.start,
        untrained=options.from_scratch,
    )
    for _ in range(options.campaigns):
        with Display(ready.plan) as display:
            campaign = run_next(ready, [display.note])
        _say(campaign)


def _say(campaign: Campaign) -> None:
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
    print(f"report: {campaign.folder / 'report.html'}")


def differing_sites(folder: Path) -> Mapping[str, int]:
    """Sites whose answers at the gate always differ from the others', as this campaign's gate noted."""
    from cryofed.disk.documents import read_document

    times: Mapping[str, int] = read_document(folder / "gate.json").get("differs", {})
    return times


class Display:
    """Owns the progress bar on stderr; without a terminal, a line a round instead."""

    def __init__(self, plan: Plan) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.rounds = self.progress.add_task("rounds", total=plan.rounds.count, note="")
        self.answers = self.progress.add_task("answers", total=None, note="")

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
            self.progress.update(self.answers, completed=0, total=len(facts["asked"]), note="")
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
            self.progress.update(self.rounds, completed=facts["round"], note=auc)
            if not self.console.is_terminal:
                sent = f"{len(facts['accepted'])} of {len(facts['asked'])} sites"
                words = [
                    f"round {facts['round']}: {sent}",
                    *([auc] if auc else []),
                    f"{facts['seconds']:.1f} s",
                ]
                self.console.print(", ".join(words), highlight=False)
