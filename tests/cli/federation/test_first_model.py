"""From which model a federation, or a comparison, begins."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

pytest.importorskip("torch")

from cryofed.cli.federation.first_model import add_first_model, first_weights
from cryofed.federation.releases.first import first_vector
from cryofed.learning.export import read_vector, write_model
from cryofed.learning.learner import initial_vector
from cryofed.learning.vector import Vector
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.scorer import SHIPPED


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_first_model(parser)
    return parser.parse_args(words)


def first_model(given: argparse.Namespace) -> tuple[Vector | None, str]:
    return first_vector(first_weights(given), untrained=given.from_scratch)


def test_the_shipped_model_unless_another_or_none_is_asked_for(tmp_path: Path) -> None:
    write_model(tmp_path, initial_vector(3), Calibration(), {})
    vector, origin = first_model(options())
    assert origin == "shipped"
    assert vector is not None
    assert (vector == read_vector(SHIPPED.with_name("weights.safetensors"))).all()
    for named in (tmp_path, tmp_path / "weights.safetensors", tmp_path / "model.onnx"):
        vector, origin = first_model(options("--model", str(named)))
        assert origin == "given"
        assert vector is not None
        assert (vector == initial_vector(3)).all()
    assert first_model(options("--from-scratch")) == (None, "untrained")


def test_one_cannot_begin_from_a_model_and_from_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--from-scratch", "--model", "model")
    assert "not allowed with" in capsys.readouterr().err
