"""What `cryofed federation status --watch` shows, from files as a campaign writes them."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from cryofed.cli.federation.view import view
from cryofed.disk.documents import write_document
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.agreement.rules import GuardRules


def site(auc: float) -> dict[str, object]:
    return {"bytes": 1_500_000, "examples": 29, "metrics": {"auc": auc}, "norm": 1.8387, "steps": 10}


def shown(home: Path) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(view(home, {"a": {"text": "epsilon 1.5 at delta 1e-05", "epsilon": 1.5}}))
    return console.export_text()


def test_view_shows_rounds_sites_gate_and_refusals(tmp_path: Path) -> None:
    release = tmp_path / "releases" / "0001"
    release.mkdir(parents=True)
    (release / "card.json").write_text(
        json.dumps({"release": 1, "layout": [["w", [1]]], "vector_sha256": "ab" * 32, "origin": "shipped"})
    )
    (tmp_path / "releases" / "current").write_text("0001\n")
    campaign = tmp_path / "campaigns" / "0001"
    campaign.mkdir(parents=True)
    report = {
        "round": 1, "asked": ["a", "b", "c"], "accepted": {"a": site(0.91), "b": site(0.93)},
        "refused": {"c": "not_finite"}, "lost": {}, "auc": 0.92, "seconds": 4.25,
    }  # fmt: skip
    (campaign / "rounds.jsonl").write_text(json.dumps(report) + "\n")
    started = {"event": "round_started", "round": 2, "asked": ["a", "b", "c"], "time": 1.0}
    accepted = {"event": "update_accepted", "round": 2, "site": "a", "time": 2.0}
    (campaign / "events.jsonl").write_text(json.dumps(started) + "\n" + json.dumps(accepted) + "\n")
    (tmp_path / "flare").mkdir()
    refusal = {"time": "2026-11-23T15:00:00", "site": "d", "reason": "d is not in the registry"}
    (tmp_path / "flare" / "refusals.jsonl").write_text(json.dumps(refusal) + "\n")
    text = shown(tmp_path)
    assert "* release 1  abababababab  shipped" in text
    row = next(line for line in text.splitlines() if "not_finite" in line)
    assert row.replace("│", " ").split() == ["1", "2/3", "0.9200", "3.0", "4.2", "c", "not_finite"]
    assert "round 2: 1 of 3 sites have answered" in text
    assert "d is not in the registry" in text
    assert "privacy of a: epsilon 1.5 at delta 1e-05" in text
    measured = {"a": {"current": 0.9, "candidate": 0.92, "held_out": 40, "step": 0.0}}
    gate = {
        "promoted": True, "metric": "auc", "pooled_current": 0.9, "pooled_candidate": 0.92, "stopped_by": [],
        "sites": measured,
    }  # fmt: skip
    write_document(campaign / "gate.json", gate)
    text = shown(tmp_path)
    assert "Released: AUC 0.9000 → 0.9200 on held-out projects of 1 site" in text
    assert "have answered" not in text


def test_view_shows_lineage_matrix_and_what_the_plan_demands(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    cards = [
        {"vector_sha256": "ab" * 32, "origin": "shipped"},
        {"vector_sha256": "cd" * 32, "parent": "ab" * 32, "campaign": 1, "strategy": "fedavg", "rounds": 3},
    ]
    for number, card in enumerate(cards, 1):
        folder = home / "releases" / f"{number:04d}"
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(json.dumps({"release": 1, "layout": [["w", [1]]], **card}))
    (home / "releases" / "current").write_text("0002\n")
    campaign = home / "campaigns" / "0001"
    campaign.mkdir(parents=True)
    matrix = {"models": ["common", "a"], "auc": {"a": [0.9, 0.95], "b": [0.8, 0.75]}}
    write_document(campaign / "cross_site.json", matrix)
    guard = GuardRules(private=True, noise_multiplier=1.1, max_epsilon=8.0)
    (tmp_path / "plan.toml").write_text(commented_plan(Plan(name="demo", guard=guard)))
    text = shown(home)
    assert "* release 2  cdcdcdcdcdcd  from release 1 by campaign 1, 3 rounds of fedavg" in text
    row = next(line for line in text.splitlines() if "0.750" in line)
    assert row.replace("│", " ").split() == ["b", "0.800", "0.750"]
    assert "privacy: the plan demands noise 1.1 and at most epsilon 8" in text
