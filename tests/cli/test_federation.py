"""`cryofed federation new`, `run` and `status`, as a coordinator types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cryofed.cli.main import main
from cryofed.federation.plan_file import read_plan
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.library.labels import Labelling
from cryofed.library.store import Library


def library(path: Path, seed: int) -> None:
    """Three projects of one job each: 24 blobs and 24 pictures of noise."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((64, 64)) - 32
    good = np.arange(48) % 2 == 0
    blob = np.exp(-(x**2 + y**2) / 128)
    with Library(path, create=True) as made:
        for project in range(3):
            noise = rng.normal(size=(48, 64, 64))
            averages = (noise + 2 * good[:, None, None] * blob).astype(np.float32)
            job = ClassJob(
                program="images", path=path, name=f"job{project}", averages=averages,
                classes=ClassTable.unknown(48),
            )  # fmt: skip
            made.add(job, f"project-{project}", [labelling(good)])


def labelling(good: np.ndarray) -> Labelling:
    return Labelling(
        habit="binary", source="test", made_at="2026-01-01T00:00:00+00:00", values=good.astype(np.float32)
    )


@pytest.fixture
def plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    for seed, name in enumerate(("north", "south")):
        library(tmp_path / f"{name}.db", seed)
    path = tmp_path / "plan.toml"
    sites = "north=north.db,south=south.db"
    assert main(["federation", "new", str(path), "--name", "demo", "--sites", sites, "--rounds", "2"]) == 0
    assert capsys.readouterr().out == f"{path}: 2 sites, 2 rounds of fedavg\n"
    path.write_text(path.read_text().replace("steps = 50", "steps = 4").replace("batch = 64", "batch = 16"))
    return path


def test_a_plan_is_run_to_a_release_a_report_and_a_status(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["federation", "run", str(plan), "--from-scratch"]) == 0
    out = capsys.readouterr().out
    home = plan.parent / "demo"
    assert out.startswith("campaign 1: release ")
    assert f"report: {home}/campaigns/0001/report.html" in out
    report = json.loads((home / "campaigns/0001/report.json").read_text())
    assert [line["plan"] for line in report["rounds"]] == [read_plan(plan).hash] * 2
    assert (home / "releases/0001/model.onnx").exists()
    assert main(["federation", "status", str(plan)]) == 0
    told = capsys.readouterr().out
    assert "campaign 1: 2 rounds" in told
    assert "round 2: 2/2 sites" in told


def test_mistakes_are_one_line_with_a_remedy(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["new", str(plan)], "there already; give another name, or --force"),
        (["new", str(plan.parent / "x.toml"), "--sites", "North Lab"], "use lower-case letters"),
        (["new", str(plan.parent / "x.toml"), "--strategy", "fedavgg"], "did you mean 'fedavg'"),
        (["run", str(plan), "--engine", "ray"], "choose one of: embedded, flare"),
        (["run", str(plan), "--engine", "openfl"], "not part of this version"),
        (["status", str(plan)], "run the plan first"),
    ):
        assert main(["federation", *words]) == 1
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    assert not (plan.parent / "x.toml").exists()
