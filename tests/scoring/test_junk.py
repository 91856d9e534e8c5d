"""A job of nothing but junk keeps nothing and says so, whatever the junk is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.scoring.scorer import score_job
from cryofed.selection.policy import decide

SIDE, N = 96, 24
AXIS = np.arange(SIDE) - (SIDE - 1) / 2
Y, X = AXIS[:, None], AXIS[None, :]
FREQUENCY = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])  # cycles per pixel
Draw = Callable[[np.random.Generator], np.ndarray]


def noise(rng: np.random.Generator, coarse: float = 2.0) -> np.ndarray:
    spectrum = np.fft.rfft2(rng.normal(size=(SIDE, SIDE)))
    grain = np.fft.irfft2(spectrum * np.exp(-2 * (np.pi * coarse * FREQUENCY) ** 2), s=(SIDE, SIDE))
    return np.asarray(grain / grain.std())


def bead(rng: np.random.Generator, within: float) -> np.ndarray:
    y, x = rng.uniform(-within, within, 2)
    return 1 / (1 + np.exp((np.hypot(Y - y, X - x) - rng.uniform(4, 14)) / 1.5))


def blob(rng: np.random.Generator, within: float) -> np.ndarray:
    y, x = rng.uniform(-within, within, 2)
    return np.exp(-((Y - y) ** 2 + (X - x) ** 2) / (2 * rng.uniform(4, 9) ** 2))


def slope(rng: np.random.Generator) -> np.ndarray:
    turn = rng.uniform(0, 2 * np.pi)
    return Y * np.cos(turn) + X * np.sin(turn)


KINDS: dict[str, Draw] = {
    "grain": lambda rng: noise(rng, rng.uniform(2, 5)),
    "stripes": lambda rng: np.sin(slope(rng) * rng.uniform(0.2, 0.8)) + 0.2 * noise(rng),
    "beads at the edge": lambda rng: bead(rng, 25) + 0.03 * noise(rng),
    "beads in the middle": lambda rng: bead(rng, 3) + 0.03 * noise(rng),
    "beads beside something faint": lambda rng: bead(rng, 6) + 0.3 * blob(rng, 20) + 0.03 * noise(rng),
    "carbon": lambda rng: 1 / (1 + np.exp(rng.uniform(-15, 15) - slope(rng))) + 0.1 * noise(rng),
    "balls": lambda rng: np.exp(-(Y**2 + X**2) / (2 * rng.uniform(8, 18) ** 2)) + 0.02 * noise(rng),
    "masked grain": lambda rng: noise(rng, 1.0) * np.exp(-(Y**2 + X**2) / 800),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_of_one_kind_of_junk_keeps_nothing_and_is_not_in_doubt(kind: str) -> None:
    rng = np.random.default_rng(7)
    inside = np.hypot(Y, X) < 44
    averages = np.stack([KINDS[kind](rng) * inside for _ in range(N)]).astype(np.float32)
    table = ClassTable.unknown(N)
    job = ClassJob(program="images", path=Path("junk"), name="junk", averages=averages, classes=table)
    selection = decide(job, score_job(job))
    assert not selection.kept.any()
    assert selection.note.startswith("nothing here looks like a particle")
    assert selection.doubt == ""


def test_a_job_of_all_these_kinds_keeps_nothing() -> None:
    rng = np.random.default_rng(8)
    averages = np.stack([draw(rng) for draw in KINDS.values() for _ in range(4)]).astype(np.float32)
    table = ClassTable.unknown(len(averages))
    job = ClassJob(program="images", path=Path("junk"), name="junk", averages=averages, classes=table)
    assert not decide(job, score_job(job)).kept.any()
