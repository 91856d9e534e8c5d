"""Views of a prepared average."""

import numpy as np
import torch

from cryofed.learning.augment import Augmentation, augmented, middle, normalized
from cryofed.scoring.prepare import SIDE, normalize


def test_views_are_normalized_as_scoring_does() -> None:
    images = np.random.default_rng(0).normal(size=(5, SIDE, SIDE)).astype(np.float32)
    np.testing.assert_allclose(normalized(torch.from_numpy(images)), normalize(images), atol=1e-5)


def test_the_same_seed_gives_the_same_views_of_a_wider_picture() -> None:
    images = torch.randn(16, 80, 80, generator=torch.Generator().manual_seed(0))
    first = augmented(images, np.random.default_rng(1), Augmentation())
    again = augmented(images, np.random.default_rng(1), Augmentation())
    other = augmented(images, np.random.default_rng(2), Augmentation())
    assert first.shape == (16, SIDE, SIDE)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.isfinite(first).all()


def test_without_changes_only_quarter_turns_and_mirrors_remain() -> None:
    images = torch.randn(1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    still = Augmentation(interpolated=0, rim=0, regraded=0, blurred=0)
    view = augmented(images, np.random.default_rng(0), still)
    plain = normalized(middle(images))
    eight = [torch.rot90(p, k, (1, 2)) for k in range(4) for p in (plain, plain.flip(2))]
    assert min((view - one).abs().max().item() for one in eight) < 1e-5


def test_a_flat_picture_stays_finite() -> None:
    view = augmented(torch.zeros(8, SIDE, SIDE), np.random.default_rng(0), Augmentation())
    assert torch.isfinite(view).all()
