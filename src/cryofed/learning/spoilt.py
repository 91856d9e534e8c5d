"""Bad averages made from good ones, so that how a program draws its pictures never tells what is good.

A set of nothing but good classes teaches that all that is drawn like it is good, and most sets lean to one
side. So each set's good averages are spoilt as a classification spoils them: what is aligned badly is
smeared, a neighbour lies beside the particle, and the grain of few particles lies over it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cryofed.library.labelled import Labelled
from cryofed.library.pictures import WIDE_SIDE
from cryofed.scoring.prepare import SIDE

Picture = NDArray[np.floating]

BESIDE = 0.3  # share of pictures with a neighbour
ANY_TURN = (0, 6.3)  # radians
TURNED = (0.5, 3.1)  # radians: how badly angles are known
MOVED = (0.03, 0.14)  # mask diameters: how badly positions are known
SUMMED = (5, 25)  # views in a smear, the last number left out
GRAIN = (0.08, 0.9)  # deviations of the picture
GRAIN_PX = (0.6, 3.0)  # how fine the grain is
MASKED = 0.6  # share whose surroundings are blank

_MASK_PX = SIDE / 2
_AXIS = np.arange(WIDE_SIDE) - (WIDE_SIDE - 1) / 2
_RADIUS = np.hypot(_AXIS[:, None], _AXIS[None, :])
_INSIDE = _RADIUS < _MASK_PX
_EDGE = _INSIDE & (_RADIUS > 0.9 * _MASK_PX)
_SOFT = 1 / (1 + np.exp((_RADIUS - 0.98 * _MASK_PX) / 0.7))


def spoilt(labelled: Labelled, each: int, target: float, seed: int) -> Labelled:
    """`each` bad averages for every good one of a set, as one job without features.

    Args:
        labelled: averages of one set, `(n, 96, 96)`, as `library.pictures.wide` gives them.
        each: pictures for a good average, 1 or more.
        target: what their label is worth, in [0, 1].
        seed: the same seed spoils alike.
    """
    rng = np.random.default_rng(seed)
    good = labelled.images[labelled.good].astype(np.float32)
    n = each * len(good)
    images = np.zeros((n, WIDE_SIDE, WIDE_SIDE), np.float16)
    for image in images:
        image[:] = _grained((_beside if rng.random() < BESIDE else _smeared)(good, rng), rng)
    zero = np.zeros(n, np.int64)
    return Labelled(
        images=images,
        features=np.full((n, labelled.features.shape[1]), np.nan, np.float32),
        target=np.full(n, target, np.float32),
        good=np.zeros(n, bool),
        reason=np.full(n, -1, np.int8),
        job=zero,
        project=zero,
    )


def _smeared(good: Picture, rng: np.random.Generator) -> Picture:
    """The sum of one to three averages in many views, turned and moved at random."""
    kinds = rng.integers(1, 4)
    chosen = good[rng.integers(len(good), size=kinds)]
    turned, moved = rng.uniform(*TURNED), rng.uniform(*MOVED) * SIDE
    views, mirrored = rng.integers(*SUMMED), rng.random() < 0.5
    total = np.zeros((WIDE_SIDE, WIDE_SIDE))
    for view in range(views):
        angle, shift = rng.normal(0, turned), rng.normal(0, moved, 2)
        total += _view(chosen[view % kinds], angle, shift, mirror=mirrored and rng.random() < 0.5)
    return _normalized(total)


def _beside(good: Picture, rng: np.random.Generator) -> Picture:
    """Two particles off the centre: the one whole or smeared, its neighbour smeared, at the mask's edge."""
    whole = good[rng.integers(len(good), size=2)[0]]
    angle = rng.uniform(0, 2 * np.pi)
    way = np.array([np.cos(angle), np.sin(angle)]) * _MASK_PX
    near, far = rng.uniform(0.2, 0.55), rng.uniform(0.5, 1.0)
    smeared = rng.random() < 0.5
    one = _smeared(good, rng) if smeared else _view(whole, rng.uniform(*ANY_TURN), np.zeros(2))
    other = _smeared(good, rng)
    return _normalized(_shifted(one, near * way) + rng.uniform(0.5, 1.3) * _shifted(other, -far * way))


def _grained(picture: Picture, rng: np.random.Generator) -> Picture:
    """With a grain of one colour over it, and perhaps masked."""
    edge = picture[_EDGE].mean()
    strength = np.exp(rng.uniform(*np.log(GRAIN)))
    noise, fine = rng.normal(size=picture.shape), rng.uniform(*GRAIN_PX)
    grain = ndimage.gaussian_filter(noise, fine)
    grain -= ndimage.gaussian_filter(noise, fine * rng.uniform(3, 6))
    grained = picture + strength * grain / grain[_INSIDE].std()
    if rng.random() < MASKED:
        grained = edge + (grained - edge) * _SOFT
    return _normalized(grained)


def _view(picture: Picture, angle: float, shift: Picture, *, mirror: bool = False) -> Picture:
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.diag([1, -1 if mirror else 1])
    centre = np.full(2, (WIDE_SIDE - 1) / 2)
    view: Picture = ndimage.affine_transform(
        picture, matrix, centre - matrix @ (centre + shift), order=1, mode="nearest"
    )
    return view


def _shifted(picture: Picture, shift: Picture) -> Picture:
    moved: Picture = ndimage.shift(picture, shift, order=1, mode="nearest")
    return moved


def _normalized(picture: Picture) -> Picture:
    """Mean 0 and deviation 1 inside the mask."""
    inside = picture[_INSIDE]
    return np.asarray((picture - inside.mean()) / max(float(inside.std()), 1e-6))
