"""Where training computes: asked for, found, refused; on the CPU nothing changes."""

import numpy as np
import pytest
import torch
from tests.federation.labelled_blobs import labelled

from cryofed.errors import InputError
from cryofed.learning.device import DEVICES, device_of, faster
from cryofed.learning.learner import TrainingSettings, evaluate, initial_vector, logits, train

QUICK = TrainingSettings(steps=2, batch=4)


def test_auto_takes_the_first_device_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda answer=cuda: answer)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda answer=mps: answer)
        assert device_of("auto") == torch.device(expected)
        assert device_of("cpu") == torch.device("cpu")


def test_a_device_that_is_not_there_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device: cuda: PyTorch sees none on this machine; use 'auto'"):
        device_of("cuda")
    with pytest.raises(InputError, match=f"found 'gpu'; use one of {', '.join(DEVICES)}"):
        train(initial_vector(1), labelled(8, 1), QUICK, 1, device="gpu")


def test_the_cpu_gives_the_same_bits_whether_named_or_not() -> None:
    start, data = initial_vector(1), labelled(8, 1)
    plain = train(start, data, QUICK, 1)
    assert train(start, data, QUICK, 1, device="cpu").vector.tobytes() == plain.vector.tobytes()
    assert evaluate(start, data, "cpu") == evaluate(start, data)
    with faster(torch.device("cpu")):  # full precision
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.skipif(device_of("auto").type == "cpu", reason="no graphics card that PyTorch sees")
def test_a_graphics_card_trains_to_about_the_same_model() -> None:
    start, data = initial_vector(1), labelled(60, 1)
    here, there = (train(start, data, QUICK, 1, device=d) for d in ("cpu", "auto"))
    assert np.abs(here.vector - there.vector).max() < 0.02  # two steps of AdamW at 1e-3, bfloat16 forward
    np.testing.assert_allclose(logits(start, data), logits(start, data, device="auto"), atol=1e-2)
