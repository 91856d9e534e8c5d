"""From which model a federation, or a comparison, begins."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

pytest.importorskip("torch")

from cryofed.cli.federation.first_model import add_first_model, first_weights
from cryofed.errors import InputError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.releases.first import First, begin_releases, first_model
from cryofed.federation.releases.store import current_release
from cryofed.learning.export import read_vector, write_model
from cryofed.learning.learner import initial_vector
from cryofed.scoring.calibration import UNKNOWN, Calibration
from cryofed.scoring.in_job import Jobs
from cryofed.scoring.scorer import SHIPPED, open_model


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_first_model(parser)
    return parser.parse_args(words)


def first_of(given: argparse.Namespace) -> First:
    return first_model(first_weights(given), untrained=given.from_scratch)


def test_the_shipped_model_unless_another_or_none_is_asked_for(tmp_path: Path) -> None:
    own = Calibration(slope=2.0, jobs=Jobs(bad=-3.0))
    write_model(tmp_path, initial_vector(3), own, {})
    shipped = first_of(options())
    assert shipped.origin == "shipped"
    assert shipped.vector is not None
    assert (shipped.vector == read_vector(SHIPPED.with_name("weights.safetensors"))).all()
    for named in (tmp_path, tmp_path / "weights.safetensors", tmp_path / "model.onnx"):
        given = first_of(options("--model", str(named)))
        assert (given.origin, given.calibration) == ("given", own)
        assert given.vector is not None
        assert (given.vector == initial_vector(3)).all()
    assert first_of(options("--from-scratch")) == First(vector=None, calibration=UNKNOWN, origin="untrained")


def test_the_first_release_means_by_a_score_what_its_model_meant(tmp_path: Path) -> None:
    begin_releases(tmp_path, Plan(name="pact"))
    release = current_release(tmp_path / "releases")
    assert release is not None
    assert release.calibration == open_model(SHIPPED, "cpu").calibration
    assert open_model(release.path / "model.onnx", "cpu").calibration == release.calibration


def test_a_damaged_calibration_is_named(tmp_path: Path) -> None:
    save_file({"a": np.zeros(1, np.float32)}, tmp_path / "w.safetensors", {"calibration": "{"})
    with pytest.raises(InputError, match="copy the file again"):
        first_model(tmp_path / "w.safetensors", untrained=False)


def test_one_cannot_begin_from_a_model_and_from_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--from-scratch", "--model", "model")
    assert "not allowed with" in capsys.readouterr().err
