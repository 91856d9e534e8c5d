"""Run campaigns of a federation and show them as they go."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryofed.cli.as_json import add_json, print_json
from cryofed.cli.federation.first_model import add_first_model, first_weights
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
    add_json(parser)
    add_first_model(parser)


def run(options: argparse.Namespace) -> None:
    """Run, then write a report."""
    from cryofed.federation.running import make_ready, run_next

    ready = make_ready(
        options.plan,
        home=options.home,
        engine=options.engine,
        device=options.device,
        start=first_weights(options),
        untrained=options.from_scratch,
    )
    for _ in range(options.campaigns):
        with Display(ready.plan) as display:
            campaign = run_next(ready, [display.note])
        _say(campaign, options.json)


def _say(campaign: Campaign, as_json: bool) -> None:
    from cryofed.disk.lines import read_lines
    from cryofed.federation.telling.campaign_report import asked
    from cryofed.federation.telling.verdict import verdict

    decision, release = campaign.decision, campaign.release
    told = verdict(decision.record(), asked(read_lines(campaign.folder / "rounds.jsonl")))
    page, model = campaign.folder / "report.html", release.path / "model.onnx"
    differing = differing_sites(campaign.folder)
    if as_json:
        facts = {"campaign": campaign.number, "release": release.number, "promoted": decision.promoted}
        print_json(facts | told.record() | {"differing": dict(differing), "model": model, "report": page})
        return
    becomes = "is the release now" if decision.promoted else "stays the release"
    print(f"campaign {campaign.number}: {told.headline}; release {release.number} {becomes}")
    for reason in told.reasons:
        print(f"  why: {reason}")
    for remedy in told.remedies:
        print(f"  try: {remedy}")
    for site, times in differing.items():
        print(
            f"{site}: its answers at the gate went against the others' in the last {times} campaigns; "
            "look at its data with its owner, or leave it out of the plan"
        )
    print(f"model: {model}")
    print(f"report: {page}")


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
