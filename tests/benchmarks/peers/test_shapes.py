"""The peers' networks have as many numbers as their authors' have."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from benchmarks.peers.shapes import CryoSiftShape, Dropout, RelionShape, Scaled, scale_of  # noqa: E402  # needs torch


def parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def no_scale(features: int) -> Scaled:
    return Scaled(torch.zeros(features), torch.ones(features))


def test_relion_shape_has_the_published_numbers_less_those_of_six_hidden_features() -> None:
    model = RelionShape(no_scale(18)).eval()
    assert parameters(model) == 588_641 - 6 * 48  # each feature feeds the 48 units of a hidden layer
    assert model(torch.zeros(2, 64, 64), torch.zeros(2, 18)).shape == (2,)


@pytest.mark.parametrize("side", [64, 96])
def test_cryosift_shape_has_the_published_numbers_whatever_its_side(side: int) -> None:
    model = CryoSiftShape(no_scale(6), side).eval()
    assert parameters(model) == 1_366_999
    assert model(torch.zeros(2, 64, 64), torch.zeros(2, 6)).shape == (2,)


def test_unknown_features_count_as_the_mean_of_the_training_corpus() -> None:
    nan = float("nan")
    scale = scale_of(torch.tensor([[1.0, nan], [3.0, 5.0]]))  # means 2 and 5; deviations 1 and, of one, 0
    assert scale(torch.tensor([[nan, nan]])).tolist() == [[0.0, 0.0]]
    assert scale(torch.tensor([[3.0, 5.0]])).tolist() == [[1.0, 0.0]]
    assert scale(torch.tensor([[99.0, 5.0]])).tolist() == [[5.0, 0.0]]  # clipped


def test_dropout_drops_a_quarter_and_keeps_the_mean() -> None:
    torch.manual_seed(1)
    ones = torch.ones(8, 16, 32, 32).to(memory_format=torch.channels_last)
    dropped = Dropout()(ones)
    assert (dropped == 0).float().mean() == pytest.approx(0.25, abs=0.005)  # four deviations of 131,072 draws
    assert dropped.max() == pytest.approx(4 / 3)
    assert torch.equal(Dropout().eval()(ones), ones)
