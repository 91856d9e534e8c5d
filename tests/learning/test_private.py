"""Private training: each average moves the sum by at most the clip, the noise is as large as promised."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("opacus")

from cryofed.errors import InputError
from cryofed.learning.device import device_of
from cryofed.learning.learner import TrainingSettings, initial_vector, layout
from cryofed.learning.private import Privacy, sampling_rate, train_privately
from cryofed.library.labelled import Labelled
from cryofed.scoring.features import FEATURES

PRIVACY = Privacy(noise_multiplier=1.0, sample_norm=0.5, secret_seed=7)
SETTINGS = TrainingSettings(steps=1, batch=8, optimizer="sgd", learning_rate=1.0, augment=False)


def labelled(n: int) -> Labelled:
    rng = np.random.default_rng(5)
    good = np.arange(n) % 2 == 0
    return Labelled(
        images=rng.standard_normal((n, 64, 64)).astype(np.float32),
        features=np.full((n, len(FEATURES)), np.nan, np.float32),
        target=good.astype(np.float32),
        good=good,
        reason=np.where(good, -1, 1).astype(np.int8),
        job=np.zeros(n, np.int64),
        project=np.zeros(n, np.int64),
    )


def change(data: Labelled, privacy: Privacy, settings: TrainingSettings = SETTINGS) -> np.ndarray:
    start = initial_vector(1)
    return train_privately(start, data, settings, privacy).vector - start


def test_one_average_moves_a_step_by_no_more_than_the_clip() -> None:
    quiet = replace(PRIVACY, noise_multiplier=0.0)
    everyone = replace(SETTINGS, batch=8)  # rate 8/8: all of them in every batch
    with_it, without = change(labelled(8), quiet, everyone), change(labelled(7), quiet, everyone)
    # The mean is over the expected batch: 8 and 7 averages. Sums differ by one clipped gradient.
    assert np.linalg.norm(8 * with_it - 7 * without) <= 0.5 * 1.001
    assert np.linalg.norm(8 * with_it - 7 * without) > 0.1


def test_the_noise_is_the_multiplier_times_the_clip_over_the_batch() -> None:
    noisy = change(labelled(8), replace(PRIVACY, noise_multiplier=10.0))
    # 10 · 0.5 / 8 per number; the clipped gradients add at most 0.5 in norm over 10⁵ numbers.
    assert noisy.std() == pytest.approx(10 * 0.5 / 8, rel=0.02)


def test_the_same_secret_gives_the_same_bits_and_another_secret_others() -> None:
    first = change(labelled(20), PRIVACY)
    assert change(labelled(20), PRIVACY).tobytes() == first.tobytes()
    assert change(labelled(20), replace(PRIVACY, secret_seed=8)).tobytes() != first.tobytes()


def test_a_device_is_taken_and_one_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    start, data = initial_vector(1), labelled(20)
    named = train_privately(start, data, SETTINGS, PRIVACY, device="cpu").vector
    assert named.tobytes() == train_privately(start, data, SETTINGS, PRIVACY).vector.tobytes()
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="device: cuda: PyTorch sees none on this machine"):
        train_privately(start, data, SETTINGS, PRIVACY, device="cuda")


@pytest.mark.skipif(device_of("auto").type == "cpu", reason="no graphics card that PyTorch sees")
def test_a_graphics_card_clips_as_the_cpu_does() -> None:
    quiet, data = replace(PRIVACY, noise_multiplier=0.0), labelled(8)
    here, there = (
        train_privately(initial_vector(1), data, SETTINGS, quiet, device=d).vector for d in ("cpu", "auto")
    )
    np.testing.assert_allclose(here, there, atol=1e-4)


def test_a_batch_that_happens_to_be_empty_is_a_step_of_noise() -> None:
    tiny = replace(SETTINGS, steps=4, batch=1)
    assert np.isfinite(change(labelled(50), PRIVACY, tiny)).all()
    assert sampling_rate(50, tiny) == 0.02


def test_the_loss_which_is_not_private_is_not_told() -> None:
    fit = train_privately(
        initial_vector(1), labelled(8), SETTINGS, PRIVACY, drift=np.zeros(layout().size, np.float32)
    )
    assert np.isnan(fit.loss)
    assert fit.gradient is not None
    np.testing.assert_allclose(
        initial_vector(1) - fit.vector, fit.gradient, atol=1e-6
    )  # one SGD step at rate 1


def test_the_head_alone_is_trained_privately_and_the_trunk_keeps_its_bits() -> None:
    head = replace(SETTINGS, part="head", augment=True, steps=2)
    moved, trunk = change(labelled(8), PRIVACY, head), layout().span("trunk.")
    assert not moved[trunk].any()
    assert moved[~trunk].any()
    np.testing.assert_array_equal(moved, change(labelled(8), PRIVACY, head))


def test_one_average_moves_the_head_by_no_more_than_the_clip() -> None:
    quiet = replace(PRIVACY, noise_multiplier=0.0)
    head = replace(SETTINGS, batch=8, part="head")
    with_it, without = change(labelled(8), quiet, head), change(labelled(7), quiet, head)
    assert 0.1 < np.linalg.norm(8 * with_it - 7 * without) <= 0.5 * 1.001
