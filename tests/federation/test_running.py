"""A plan is run by a program: `cryofed.run_plan`, and where its sites compute."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.federation.blob_library import library

import cryofed
from cryofed.cli.main import main
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules
from cryofed.federation.agreement.plan_file import commented_plan, read_plan
from cryofed.federation.engines.embedded import EmbeddedRules
from cryofed.federation.running import make_ready


@pytest.fixture
def two_sites(tmp_path: Path) -> Path:
    for seed, name in enumerate(("north", "south")):
        library(tmp_path / f"{name}.db", seed)
    plan = Plan(
        name="both",
        rounds=RoundRules(count=1),
        training=LocalTraining(steps=2, batch=16),
        sites=tuple(EnrolledSite(name=name, library=f"{name}.db") for name in ("north", "south")),
    )
    path = tmp_path / "plan.toml"
    path.write_text(commented_plan(plan))
    return path


def test_a_plan_is_run_to_a_release_and_a_report(two_sites: Path, tmp_path: Path) -> None:
    events: list[str] = []
    campaign = cryofed.run_plan(
        two_sites, home=tmp_path / "home", device="cpu", hook=lambda e, _: events.append(e)
    )
    assert isinstance(campaign, cryofed.Campaign)
    assert (campaign.number, campaign.folder) == (1, tmp_path / "home/campaigns/0001")
    assert (campaign.folder / "report.html").exists()
    assert (campaign.release.path / "model.onnx").exists()
    assert events.count("round_closed") == 1
    for site in (tmp_path / "home/sites").iterdir():
        assert site.stat().st_mode & 0o077 == 0  # what a site keeps is its own
    assert events[-1] == "gate"
    with pytest.raises(cryofed.CryoFedError, match="releases: there already"):
        cryofed.run_plan(two_sites, home=tmp_path / "home", untrained=True)
    with pytest.raises(cryofed.CryoFedError, match="no such file"):
        cryofed.run_plan(tmp_path / "none.toml")


def test_a_device_that_is_not_there_is_one_line_before_anything_is_written(
    two_sites: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(cryofed.CryoFedError, match="PyTorch sees none on this machine"):
        cryofed.run_plan(two_sites, device="cuda")
    with pytest.raises(
        cryofed.CryoFedError, match="device: name: found 'gpu'; use one of auto, cpu, cuda, mps"
    ):
        cryofed.run_plan(two_sites, device="gpu")
    assert not (two_sites.parent / "both").exists()


def test_the_device_is_the_callers_else_the_plans(two_sites: Path, tmp_path: Path) -> None:
    def device(path: Path, asked: str | None) -> str:
        ready = make_ready(path, home=tmp_path / "home", device=asked)
        assert ready.plan.hash == read_plan(two_sites).hash  # it is no part of what was agreed
        return ready.plan.table(EmbeddedRules).device

    assert device(two_sites, None) == "auto"
    assert device(two_sites, "cpu") == "cpu"
    other = tmp_path / "other.toml"
    agreed = read_plan(two_sites)
    other.write_text(commented_plan(replace(agreed, tables={"embedded": EmbeddedRules(device="cpu")})))
    assert device(other, None) == "cpu"
    assert device(other, "auto") == "auto"


def test_sites_of_their_own_machines_name_their_own_device(
    two_sites: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["federation", "run", str(two_sites), "--engine", "flare", "--device", "cuda"]) == 1
    said = capsys.readouterr().err
    assert "--device: engine: flare, whose sites are machines of their own; leave it away" in said
    assert said.count("\n") == 1
    assert not (two_sites.parent / "both").exists()
