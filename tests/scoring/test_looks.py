"""How clear pictures are."""

import numpy as np
import pytest

from cryofed.scoring.looks import UNKNOWN, Looks, flatness, looks
from cryofed.scoring.prepare import SIDE, normalize
from cryofed.scoring.sharpness import sharpness

AXIS = np.arange(SIDE) - (SIDE - 1) / 2


def pictures(*, lumps: float = 0.0, beside: float = 0.0, radius_px: float = 9.0) -> np.ndarray:
    """One round particle on lumpy ground, perhaps with another one at the edge."""
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft2(rng.normal(size=(SIDE, SIDE)))
    cycles = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :]) * SIDE
    ground = np.fft.irfft2(spectrum * np.exp(-((cycles / 5) ** 2)), s=(SIDE, SIDE))
    image = blob(0, radius_px) + lumps * ground / ground.std() + beside * blob(24, 5.0)
    return normalize(image[None].astype(np.float32))


def blob(x: float, radius_px: float) -> np.ndarray:
    return np.exp(-(((AXIS[:, None] ** 2 + (AXIS[None, :] - x) ** 2) / radius_px**2) ** 2))


def test_lumps_around_the_particle_are_not_flat() -> None:
    flat, lumpy = flatness(pictures(lumps=0.02))[0], flatness(pictures(lumps=0.3))[0]
    # 0.3 is fifteen times 0.02, log2 of which is 3.9; the blurred foot of the particle is in both
    assert flat - lumpy == pytest.approx(3.0, abs=1.2)


def test_what_is_told_is_how_far_the_particle_stands_above_the_deviation() -> None:
    # 1 over 0.2; the coarse filter takes a part of both
    assert flatness(pictures(lumps=0.2))[0] == pytest.approx(np.log2(1 / 0.2), abs=0.5)


def test_a_neighbour_is_not_flat() -> None:
    assert flatness(pictures(lumps=0.02, beside=0.4))[0] < flatness(pictures(lumps=0.02))[0] - 1


def test_a_picture_without_surroundings_tells_nothing() -> None:
    stripes = np.broadcast_to(np.sin(AXIS * 2 * np.pi * 5 / SIDE), (1, SIDE, SIDE))
    assert flatness(normalize(stripes.astype(np.float32)))[0] == UNKNOWN


def test_a_particle_as_wide_as_its_mask_is_never_clear() -> None:
    assert flatness(pictures(lumps=0.02, radius_px=27.0))[0] < flatness(pictures(lumps=0.02))[0] - 1


def test_quarter_turns_mirrors_and_grey_scale_change_nothing() -> None:
    image = pictures(lumps=0.1)
    for other in (np.rot90(image, 1, (1, 2)), image[:, :, ::-1], normalize(7 * image - 3)):
        np.testing.assert_allclose(flatness(np.ascontiguousarray(other)), flatness(image), atol=0.01)


def test_constant_pictures_have_a_number() -> None:
    assert np.isfinite(flatness(np.zeros((2, SIDE, SIDE), np.float32))).all()


def test_a_job_is_as_clear_as_its_medians() -> None:
    of = Looks(sharp=np.array([1.0, 2.0, 3.0]), flat=np.array([5.0, 4.0, 9.0]))
    assert of.clear == 5.0 + 0.5 * 2.0


def test_looks_are_sharpness_and_flatness() -> None:
    image = pictures(lumps=0.1)
    assert (looks(image).sharp == sharpness(image)).all()
    assert (looks(image).flat == flatness(image)).all()
