"""The training of the benchmarks' networks: when it ends, and that a stopped run goes on to the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from benchmarks.peers.training import Learnt, Lesson, Recipe, learn, rate_at, turn  # noqa: E402  # needs torch


def recipe(**changes: float) -> Recipe:
    return Recipe(**{"level": 12, "every": 4, "patience": 2, "batch": 8, **changes})  # type: ignore[arg-type]  # ints, as `Recipe` has them


def test_the_rate_falls_once_two_validations_in_a_row_are_no_better() -> None:
    falling = [(4, 0.5), (8, 0.4), (12, 0.3)]
    assert turn(falling, recipe(level=100)) == 100  # the budget ends it
    stuck = [*falling, (16, 0.31), (20, 0.2999)]  # 0.2999 is not clearly below 0.3
    assert turn(stuck, recipe(level=100)) == 20


def test_the_rate_rises_stays_and_falls_over_a_third_of_the_level_steps() -> None:
    settings = recipe(level=300, learning_rate=1.0)
    assert rate_at(49, [], settings) == 0.5  # half of the 100 warm steps
    assert rate_at(299, [], settings) == 1.0
    assert rate_at(350, [], settings) == pytest.approx(0.01 + 0.99 / 2)  # half of 100 falling steps
    assert rate_at(400, [], settings) is None


class Small(torch.nn.Module):
    """Dropout and batch normalization, the two that could tell a resumed run from another."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Dropout(0.3),
            torch.nn.Flatten(), torch.nn.Linear(4 * 36, 1),
        )  # fmt: skip

    def forward(self, images: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return self.layers(images[:, None])[:, 0] + features.sum(1) * 0


def lesson(stop_at: int | None = None) -> Lesson:
    pictures = torch.from_numpy(np.random.default_rng(1).normal(size=(40, 8, 8)).astype(np.float32))
    target, told, steps = pictures.mean((1, 2)), torch.zeros(40, 1), []

    def loss(model: torch.nn.Module, rows: NDArray[np.int64], rng: np.random.Generator) -> torch.Tensor:
        steps.append(0)
        if len(steps) == stop_at:
            raise KeyboardInterrupt
        noise = float(rng.normal(0, 0.01))
        return (model(pictures[rows], told[rows]) - target[rows] - noise).square().mean()

    def error(model: torch.nn.Module) -> float:
        return float((model(pictures, told) - target).square().mean())

    return Lesson(rows=40, loss=loss, error=error)


@pytest.mark.parametrize("half", [False, True])
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(tmp_path: Path, half: bool) -> None:
    settings = recipe(half=half)
    whole = learn(Small(), lesson(), settings, tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        learn(Small(), lesson(stop_at=7), settings, tmp_path / "stopped.pt")  # in step 7; 4 are kept
    resumed = learn(Small(), lesson(), settings, tmp_path / "stopped.pt")
    assert resumed.course == whole.course
    assert same_weights(resumed, whole)
    again = learn(Small(), lesson(stop_at=1), settings, tmp_path / "whole.pt")  # a finished run takes no step
    assert same_weights(again, whole)


def same_weights(one: Learnt, other: Learnt) -> bool:
    return all(torch.equal(array, other.state[name]) for name, array in one.state.items())


def test_what_is_kept_is_the_best_validation(tmp_path: Path) -> None:
    learnt = learn(Small(), lesson(), recipe(half=False), tmp_path / "run.pt")
    model = Small()
    model.load_state_dict(learnt.state)
    with torch.inference_mode():
        assert lesson().error(model.eval()) == pytest.approx(min(error for _, error in learnt.course))
