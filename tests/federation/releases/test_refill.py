"""A release is the release before it with other numbers, to the byte, and without torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cryofed.errors import FederationError, InputError
from cryofed.federation.releases.refill import places_in, write_like
from cryofed.learning.export import write_model
from cryofed.learning.learner import initial_vector, layout
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.scorer import SHIPPED

FILES = ("model.onnx", "weights.safetensors", "card.json")
CARD = {"layout": [[n, list(s)] for n, s in zip(layout().names, layout().shapes, strict=True)]}


def test_the_shipped_models_layout_is_that_of_the_code() -> None:
    assert places_in(SHIPPED.parent)[0] == layout()


def test_a_model_filled_anew_has_the_bytes_of_one_that_torch_exports(tmp_path: Path) -> None:
    calibration = Calibration(slope=1.25, offset=0.5)
    # An untrained network has many equal arrays; the second is made from the first, not from the shipped one.
    for like, name, seed in ((SHIPPED.parent, "first", 3), (tmp_path / "first", "second", 4)):
        vector = initial_vector(seed)
        write_like(tmp_path / name, like, vector, calibration, CARD)
        write_model(tmp_path / f"{name}-by-torch", vector, calibration, CARD)
        for file in FILES:
            made, wanted = tmp_path / name / file, tmp_path / f"{name}-by-torch" / file
            assert made.read_bytes() == wanted.read_bytes(), file


def test_a_vector_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FederationError, match="the new model has 7"):
        write_like(tmp_path / "x", SHIPPED.parent, np.zeros(7, np.float32), Calibration(), {})
    assert not (tmp_path / "x").exists()


def test_a_graph_without_an_array_is_refused(tmp_path: Path) -> None:
    write_like(tmp_path / "a", SHIPPED.parent, initial_vector(1), Calibration(), CARD)
    write_like(tmp_path / "b", SHIPPED.parent, initial_vector(2), Calibration(), CARD)
    (tmp_path / "a" / "model.onnx").write_bytes((tmp_path / "b" / "model.onnx").read_bytes())
    with pytest.raises(FederationError, match="is not found in the graph"):
        places_in(tmp_path / "a")


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    write_like(tmp_path / "a", SHIPPED.parent, initial_vector(1), Calibration(), CARD)
    (tmp_path / "a" / "card.json").write_text(json.dumps(CARD)[:-5])
    with pytest.raises(InputError, match="copy it again"):
        places_in(tmp_path / "a")
