"""`cryofed federation new`, `run` and `status`, as a coordinator types them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests.federation.blob_library import library

from cryofed.cli.main import main
from cryofed.disk.documents import write_document
from cryofed.federation.aggregator.gate import Measured, decide
from cryofed.federation.agreement.plan import USUAL, GateRules
from cryofed.federation.agreement.plan_file import read_plan
from cryofed.federation.releases.store import first_release, promote, write_release
from cryofed.learning.learner import initial_vector, layout
from cryofed.scoring.calibration import UNKNOWN


@pytest.fixture
def plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    for seed, name in enumerate(("north", "south")):
        library(tmp_path / f"{name}.db", seed)
    path = tmp_path / "plan.toml"
    sites = "north=north.db,south=south.db"
    new = ["federation", "new", str(path), "--name", "demo", "--sites", sites, "--rounds", "2"]
    assert main([*new, "--whole"]) == 0
    assert capsys.readouterr().out == f"{path}: 2 sites, 2 rounds of fedavg\n"
    path.write_text(path.read_text().replace("steps = 30", "steps = 4").replace("batch = 64", "batch = 16"))
    return path


def test_a_plan_is_run_to_a_release_a_report_and_a_status(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["federation", "status", str(plan)]) == 0
    assert capsys.readouterr().out == (
        "demo has not run yet: 2 rounds of fedavg over embedded, sites north, south\n"
        f"run it: cryofed federation run {plan}\n"
    )
    assert main(["federation", "run", str(plan), "--from-scratch"]) == 0
    out = capsys.readouterr().out
    home = plan.parent / "demo"
    assert re.match(r"campaign 1: (Not r|R)eleased: .*; release [12] (stays|is) the release", out)
    assert f"report: {home}/campaigns/0001/report.html" in out
    report = json.loads((home / "campaigns/0001/report.json").read_text())
    assert [line["plan"] for line in report["rounds"]] == [read_plan(plan).hash] * 2
    assert (home / "releases/0001/model.onnx").exists()
    assert main(["federation", "status", str(plan), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["current"] in [release["number"] for release in status["releases"]]
    assert [len(campaign["rounds"]) for campaign in status["campaigns"]] == [2]
    assert main(["federation", "status", str(plan)]) == 0
    told = capsys.readouterr().out
    assert "campaign 1: 2 rounds" in told
    assert "round 2: 2/2 sites" in told


def test_a_new_plan_is_the_one_whose_release_tells_least_of_who_took_part(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (read_plan(plan).training.part, read_plan(plan).guard.project_share) == ("all", 1.0)
    path, sites = plan.parent / "usual.toml", "north=north.db,south=south.db"
    assert main(["federation", "new", str(path), "--name", "usual", "--sites", sites]) == 0
    written = read_plan(path)
    assert (written.training, written.rounds.count) == (USUAL.training, USUAL.rounds.count)
    assert (written.guard, written.gate) == (USUAL.guard, USUAL.gate)
    assert written.gate.keep == 0.75
    assert written.guard.project_share < 0.5
    capsys.readouterr()
    for words in (["run", str(path)], ["compare", str(path)]):
        assert main(["federation", *words, "--from-scratch"]) == 1
        told = capsys.readouterr().err
        assert "training.part: 'head', and the first model is untrained; " in told
        assert "cryofed federation new --whole" in told
    assert not (plan.parent / "usual").exists()
    assert main(["federation", "run", str(path)]) == 0
    assert "Released: " in capsys.readouterr().out
    card = json.loads((plan.parent / "usual/releases/0002/card.json").read_text())
    assert card["privacy"].endswith("; a site trains with 33% of its projects, drawn in secret")


def test_a_noised_plan_trains_the_head_with_noise_and_its_gate_still_answers(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("opacus")
    path, sites = plan.parent / "noised.toml", "north=north.db,south=south.db"
    assert main(["federation", "new", str(path), "--name", "noised", "--sites", sites, "--rounds", "2"]) == 0
    path.write_text(path.read_text().replace("noised = false", "noised = true").replace("= 20 ", "= 4 "))
    assert (read_plan(path).guard.noised, read_plan(path).training.steps) == (True, 4)
    assert main(["federation", "run", str(path)]) == 0
    gate = json.loads((plan.parent / "noised/campaigns/0001/gate.json").read_text())
    assert {*gate["sites"]} == {"north", "south"}
    first, second = (
        load_file(plan.parent / f"noised/{name}")
        for name in ("releases/0001/weights.safetensors", "campaigns/0001/checkpoint.safetensors")
    )
    moved = np.abs(second["vector"] - layout().join(first)) > 0
    assert (moved == layout().span("head.")).mean() > 0.99  # nothing but the head
    assert not moved[~layout().span("head.")].any()


def test_mistakes_are_one_line_with_a_remedy(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["new", str(plan)], "there already; give another name, or --force"),
        (["new", str(plan.parent / "x.toml"), "--sites", "North Lab"], "use lower-case letters"),
        (["new", str(plan.parent / "x.toml"), "--strategy", "fedavgg"], "did you mean 'fedavg'"),
        (["run", str(plan), "--engine", "ray"], "choose one of: embedded, flare"),
        (["status", str(plan.parent)], "neither releases in it nor a plan beside it"),
        (["monitor", str(plan.parent)], "neither releases in it nor a plan beside it"),
    ):
        assert main(["federation", *words]) == 1
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert not (plan.parent / "x.toml").exists()


def test_releases_are_listed_shown_rolled_back_and_promoted_with_a_reason(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str, status: int = 0) -> str:
        assert main(["federation", "release", *words]) == status
        told = capsys.readouterr()
        return told.err if status else told.out

    assert "run the plan first" in said("list", str(plan), status=1)
    releases = plan.parent / "demo/releases"
    first = first_release(releases, initial_vector(0), UNKNOWN, {"origin": "untrained"})
    card = {"parent": first.hash, "campaign": 1, "strategy": "fedavg", "rounds": 2}
    write_release(releases, 2, initial_vector(1), UNKNOWN, card)
    promote(releases, 2, "gate of campaign 1")
    gate = decide({"north": Measured(candidate=0.9, current=0.8, held_out=48)}, GateRules())
    (plan.parent / "demo/campaigns/0001").mkdir(parents=True)
    write_document(plan.parent / "demo/campaigns/0001/gate.json", gate.record())
    home = str(plan.parent / "demo")
    listed = said("list", home)
    assert "  release 1" in listed
    assert "* release 2" in listed
    assert "from release 1, campaign 1, fedavg, 2 rounds" in listed
    shown = said("show", home, "2")
    assert "lineage  2 <- 1" in shown
    assert "by gate of campaign 1" in shown
    assert "north: 0.8000 -> 0.9000 on 48 held-out averages" in shown
    assert "release 1 is the current one again" in said("rollback", home, "--why", "worse on cages")
    assert ": worse on cages" in said("list", home)
    assert "no parent here" in said("rollback", home, "--why", "again", status=1)
    assert "release 2 is the current one" in said("promote", home, "2", "--why", "it was not")
    assert "choose one of [1, 2]" in said("promote", home, "9", "--why", "?", status=1)


def test_a_site_finishes_a_release_for_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library(tmp_path / "north.db", 0)
    release = first_release(tmp_path / "releases", initial_vector(0), UNKNOWN, {"origin": "untrained"}).path
    out = tmp_path / "personal"
    words = ["site", "personalize", str(release), "--library", str(tmp_path / "north.db")]
    words += ["--model", str(release), "--epochs", "1", "--out", str(out), "--trust", str(tmp_path)]
    assert main(words) == 0
    told = capsys.readouterr().out
    # One project of 48 averages is held out: half of its one job cannot both choose and tell.
    for kind in ("own", "quarter", "half", "three quarters", "common", "head"):
        assert re.search(rf"^{kind} +AUC [01]\.\d{{4}} on 48 held-out averages", told, re.MULTILINE)
    assert told.count("chosen") == 1
    assert "no held-out job is left to say what that is worth" in told
    card = json.loads((out / "card.json").read_text())
    assert f"{card['kind']} " in re.search(r"^.*chosen$", told, re.MULTILINE).group()  # type: ignore[union-attr]
    assert (out / "model.onnx").exists()
    assert main(words) == 1
    assert "not empty; name a new folder" in capsys.readouterr().err


def test_strategies_are_compared_on_libraries_harvested_from_simulated_sites(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sites = tmp_path / "sites"
    simulate = ["simulate", "sites", "--sites", "2", "--jobs", "4", "--out", str(sites), "--workers", "1"]
    assert main(simulate) == 0
    names = sorted(path.name for path in sites.iterdir() if path.is_dir())
    for name in names:
        assert main(["harvest", str(sites / name), "--library", str(tmp_path / f"{name}.db")]) == 0
    plan = tmp_path / "plan.toml"
    enrolled = ",".join(f"{name}={name}.db" for name in names)
    assert main(["federation", "new", str(plan), "--sites", enrolled, "--rounds", "2"]) == 0
    plan.write_text(plan.read_text().replace("steps = 30", "steps = 2").replace("batch = 64", "batch = 32"))
    capsys.readouterr()
    words = ["compare", str(plan), "--strategies", "fedavg,scaffold", "--seeds", "1"]
    assert main(["federation", *words]) == 0
    out = capsys.readouterr().out
    assert "pooled data 0." in out
    assert main(["federation", *words, "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == {"fedavg", "scaffold"}
    assert f"| fedavg | {rows['fedavg']['auc'][0]:.4f}" in out
    assert rows["fedavg"]["pooled"] == rows["scaffold"]["pooled"]
