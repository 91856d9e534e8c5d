"""Power by ring of good averages: the simulation beside the real sets.

Averages are prepared as the network sees them (mean 0 and deviation 1 inside the mask), so that a ring's
power is a share of all. Ring 1 is one cycle across the mask.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.real.sets import RealSet
from cryofed.learning.augment import augmented
from cryofed.learning.learner import AUGMENTATION
from cryofed.library.labelled import Labelled
from cryofed.library.pictures import prepare_again
from cryofed.scoring.prepare import SIDE, prepare_job
from cryofed.scoring.scorer import scorable

RINGS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 19, 22, 26)
QUANTILES = (0.1, 0.5, 0.9)
FEWEST = 4  # good averages that a set's quantiles need
RECORDED = Path(__file__).with_name("rings.tsv")
COVERED = (0.02, 0.98)  # quantiles of the simulation between which a real set's median should lie


def ring_powers(images: NDArray[np.floating]) -> NDArray[np.float64]:
    """`(n, 64, 64)` prepared averages to `(n, rings)` log10 of the mean power in each ring."""
    power = np.abs(np.fft.rfft2(np.asarray(images, np.float32))) ** 2
    y, x = np.fft.fftfreq(SIDE) * SIDE, np.arange(SIDE // 2 + 1)
    radius = np.rint(np.hypot(y[:, None], x[None, :]))
    rings = [power[:, radius == ring].mean(axis=1) for ring in RINGS]
    return np.log10(np.maximum(np.stack(rings, axis=1).astype(np.float64), 1e-6))


def of_sets(sets: Sequence[RealSet]) -> dict[str, NDArray[np.float64]]:
    """`(quantiles, rings)` of every set with enough good averages."""
    found = {}
    for one in sets:
        good = one.good & one.counted & scorable(one.job)
        if good.sum() >= FEWEST:
            found[one.name] = np.quantile(ring_powers(prepare_job(one.job)[good]), QUANTILES, axis=0)
    return found


def of_simulated(labelled: Labelled) -> NDArray[np.float64]:
    """`(n, rings)` of the good averages."""
    return ring_powers(prepare_again(labelled.images[labelled.good].astype(np.float16)))


def as_trained(labelled: Labelled, seed: int = 0) -> NDArray[np.float64]:
    """The same after the random crops, blurs and filters that training shows them with."""
    good = torch.from_numpy(labelled.images[labelled.good].astype(np.float32))
    return ring_powers(augmented(good, np.random.default_rng(seed), AUGMENTATION).numpy())


def write_recorded(of: Mapping[str, NDArray[np.float64]], path: Path = RECORDED) -> None:
    """A row for each set and quantile: numbers only, no picture can be made from them."""
    lines = ["\t".join(["set", "quantile", *map(str, RINGS)])]
    for name, rows in of.items():
        for quantile, row in zip(QUANTILES, rows, strict=True):
            lines.append("\t".join([name, f"{quantile:g}", *(f"{value:.2f}" for value in row)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@cache
def recorded() -> Mapping[str, NDArray[np.float64]]:
    """What `write_recorded` wrote: set to `(quantiles, rings)`."""
    with RECORDED.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    names = dict.fromkeys(row["set"] for row in rows)
    return {
        name: np.array([[float(row[str(ring)]) for ring in RINGS] for row in rows if row["set"] == name])
        for name in names
    }


def medians() -> NDArray[np.float64]:
    """`(sets, rings)` medians of the recorded sets."""
    return np.stack([rows[QUANTILES.index(0.5)] for rows in recorded().values()])


def outside(simulated: NDArray[np.float64], real: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(sets, rings)` decades by which a real median lies beyond `COVERED`: below is negative, within 0."""
    low, high = np.quantile(simulated, COVERED, axis=0)
    result: NDArray[np.float64] = np.minimum(real - low, 0) + np.maximum(real - high, 0)
    return result


def table(simulated: Labelled) -> str:
    """By ring: the real sets' medians, the simulation's quantiles, and how far they stand apart."""
    real = medians()
    lines = [f"| log10 power in ring | {' | '.join(map(str, RINGS))} |", f"|---|{'---:|' * len(RINGS)}"]
    for name, at in (("lowest", np.min), ("middle", np.median), ("highest", np.max)):
        lines.append(_row(f"real sets' medians, {name}", at(real, axis=0)))
    for name, powers in {
        "simulation": of_simulated(simulated),
        "as training shows it": as_trained(simulated),
    }.items():
        beyond = outside(powers, real)
        for quantile in (COVERED[0], 0.5, COVERED[1]):
            lines.append(
                _row(f"{name}, {quantile:.0%}".replace("%", " %"), np.quantile(powers, quantile, axis=0))
            )
        lines.append(
            _row(f"{name}: median above the middle one", np.median(powers - np.median(real, axis=0), axis=0))
        )
        farthest = np.take_along_axis(beyond, np.abs(beyond).argmax(axis=0)[None], axis=0)[0]
        lines.append(_row(f"{name}: farthest set beyond", farthest))
        lines.append(
            f"| {name}: sets beyond, of {len(real)} | {' | '.join(map(str, (beyond != 0).sum(0)))} |"
        )
    return "\n".join(lines)


def _row(name: str, values: NDArray[np.float64]) -> str:
    return f"| {name} | {' | '.join(f'{v:.2f}'.replace('-', '−') for v in values)} |"
