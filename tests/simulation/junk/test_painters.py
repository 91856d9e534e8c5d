"""Every kind of junk paints a picture on any canvas, stands for a reason, and has a share in the corpus."""

from __future__ import annotations

import numpy as np
import pytest

from cryofed.scoring.reasons import REASONS
from cryofed.simulation.junk.overfit import aligned_noise
from cryofed.simulation.junk.paint import radial_mean
from cryofed.simulation.junk.painters import PAINTERS
from cryofed.simulation.scene import scene
from cryofed.simulation.spec import JUNK_SHARES, random_spec


@pytest.mark.parametrize("kind", list(PAINTERS))
def test_every_kind_paints_a_finite_picture(kind: str) -> None:
    rng = np.random.default_rng(4)
    for box in (48, 96):
        canvas = scene(random_spec(rng, boxes=(box,)), rng)
        picture = PAINTERS[kind][0](canvas, rng)
        assert picture.shape == (box, box)
        assert picture.dtype == np.float32
        assert np.isfinite(picture).all()


def test_every_kind_has_a_share_and_every_reason_a_kind() -> None:
    assert set(JUNK_SHARES) == set(PAINTERS) | {"few particles"}
    assert {reason for _, reason in PAINTERS.values()} | {REASONS.index("too few particles")} == set(
        range(len(REASONS))
    )


def test_noise_aligned_to_itself_looks_like_itself_in_its_middle_more_than_plain_noise_would() -> None:
    picture = aligned_noise(64, 28, 30, np.random.default_rng(0))
    y, x = np.indices((64, 64)) - 32
    inside = np.hypot(y, x) < 10
    # An average of unaligned noise would have the same variance everywhere.
    assert picture[inside].std() > 2 * picture[np.hypot(y, x) > 26].std()


def test_a_radial_mean_has_no_direction_left() -> None:
    picture = np.random.default_rng(1).standard_normal((33, 33)).astype(np.float32)
    round_ = radial_mean(picture)
    np.testing.assert_allclose(round_, np.rot90(round_), atol=1e-6)  # an odd box turns onto itself
