"""Every shape of docs/architectures.md gives the same logits as an ONNX model as it does in torch."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import onnxruntime  # noqa: E402  # after torch was found
from benchmarks.peers.architectures import ALL, Architecture, as_onnx  # noqa: E402  # needs torch

from cryofed.scoring.features import FEATURES  # noqa: E402  # after torch was found


@pytest.mark.parametrize("shape", ALL, ids=lambda shape: shape.name)
def test_torch_and_onnx_agree(shape: Architecture) -> None:
    rng = np.random.default_rng(1)
    model = shape.make().eval()
    images = rng.normal(size=(2, 64, 64)).astype(np.float32)
    features = np.full((2, len(FEATURES)), np.nan, np.float32)
    session = onnxruntime.InferenceSession(as_onnx(model))
    (logits,) = session.run(["logits"], {"images": images, "features": features})
    with torch.inference_mode():
        expected = model(torch.from_numpy(images), torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)  # float32, other order of sums
