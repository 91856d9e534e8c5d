"""A vector written as ONNX and safetensors."""

from pathlib import Path

import numpy as np
import onnx
import torch

from cryofed.learning.export import read_vector, write_model
from cryofed.learning.learner import initial_vector, network
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.features import FEATURES
from cryofed.scoring.scorer import SHIPPED, open_model, run


def test_onnx_runtime_and_torch_agree(tmp_path: Path) -> None:
    vector = initial_vector(3)
    write_model(tmp_path, vector, Calibration())
    rng = np.random.default_rng(0)
    images = rng.normal(size=(150, 64, 64)).astype(np.float32)  # more than one batch
    told = rng.normal(size=(150, len(FEATURES))).astype(np.float32)
    told[::2, 1] = np.nan
    with torch.inference_mode():
        model = network(vector).eval()
        expected = (
            model(torch.from_numpy(images), torch.from_numpy(told)),
            model.pooled(torch.from_numpy(images)),
        )
    for found, wanted in zip(run(open_model(tmp_path / "model.onnx"), images, told), expected, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)


def test_weights_come_back_as_the_same_vector(tmp_path: Path) -> None:
    vector = initial_vector(4)
    write_model(tmp_path, vector, Calibration())
    np.testing.assert_array_equal(read_vector(tmp_path / "weights.safetensors"), vector)


def test_the_calibration_travels_inside_the_model(tmp_path: Path) -> None:
    calibration = Calibration(slope=0.5, offset=-0.25, unsure=(0.2, 0.7))
    write_model(tmp_path, initial_vector(0), calibration)
    assert open_model(tmp_path / "model.onnx").calibration == calibration


def test_the_shipped_files_hold_one_and_the_same_model() -> None:
    notes = {p.key: p.value for p in onnx.load(SHIPPED).metadata_props}
    from cryofed.learning.vector import vector_hash

    assert notes["cryofed.vector"] == vector_hash(read_vector(SHIPPED.with_name("weights.safetensors")))
    assert SHIPPED.stat().st_size < 5_000_000
