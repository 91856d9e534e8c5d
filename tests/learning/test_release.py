"""Long training with checkpoints."""

from pathlib import Path

import numpy as np
import pytest

from cryofed.errors import InputError
from cryofed.learning import release
from cryofed.learning.mixture import Mixture, Part
from cryofed.learning.release import ReleaseSettings, one_cycle, train_release
from cryofed.library.labelled import Labelled
from cryofed.scoring.features import FEATURES


def small_set(n: int = 24) -> Labelled:
    rng = np.random.default_rng(0)
    return Labelled(
        images=rng.normal(size=(n, 96, 96)).astype(np.float16),
        features=np.full((n, len(FEATURES)), np.nan, np.float32),
        target=rng.random(n).astype(np.float32),
        good=rng.random(n) < 0.5,
        reason=np.zeros(n, np.int8),
        job=np.arange(n) // 6,
        project=np.arange(n) // 6,
    )


def mixed() -> Mixture:
    return Mixture.of([Part(labelled=small_set(), share=1.0)])


class StopHereError(Exception):
    pass


def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "EVERY", 2)
    settings = ReleaseSettings(steps=5, batch=8)
    whole = train_release(mixed(), settings, tmp_path / "whole.safetensors")

    def stop_at_3(step: int, loss: float) -> None:
        if step == 3:
            raise StopHereError

    with pytest.raises(StopHereError):
        train_release(mixed(), settings, tmp_path / "cut.safetensors", stop_at_3)
    steps: list[int] = []
    resumed = train_release(
        mixed(), settings, tmp_path / "cut.safetensors", lambda step, loss: steps.append(step)
    )
    assert steps == [3, 4, 5]  # from the checkpoint after step 2
    np.testing.assert_array_equal(resumed, whole)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    train_release(mixed(), ReleaseSettings(steps=1, batch=8), path)
    with pytest.raises(InputError, match="of another run"):
        train_release(mixed(), ReleaseSettings(steps=2, batch=8), path)


def test_the_learning_rate_rises_for_a_tenth_and_falls_to_a_hundredth() -> None:
    assert one_cycle(0.0) == pytest.approx(0.04)
    assert one_cycle(0.1) == pytest.approx(1.0)
    assert one_cycle(0.55) == pytest.approx(0.01 + 0.99 / 2)  # half way down the cosine
    assert one_cycle(1.0) == pytest.approx(0.01)
