"""The simulation is held against the ring powers of real averages, within what is known to be missing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from benchmarks.real.rings import (
    RINGS,
    as_trained,
    medians,
    of_simulated,
    outside,
    recorded,
    ring_powers,
)

from cryofed.learning.corpus import gather
from cryofed.library.labelled import Labelled
from cryofed.simulation.corpus import corpus

COARSE = np.array(RINGS) <= 9  # what shapes a particle; beyond lies its detail, and noise
# Decades of power by which the median of a real set may lie beyond 2 to 98 % of the simulated averages. They
# are today's: the simulation falls short at fine rings (docs/model.md), and must not fall further.
PLAIN = {"coarse": 0.5, "fine": 0.95}
TRAINED = {"coarse": 0.5, "fine": 0.85}


@pytest.fixture(scope="module")
def simulated() -> Labelled:
    return gather(corpus(50, 301))  # ten seconds; fewer jobs have too few threads of negative stain


def test_a_wave_of_four_cycles_has_its_power_in_ring_four() -> None:
    wave = np.cos(2 * np.pi * 4 * np.arange(64) / 64)[None, None, :] * np.ones((1, 64, 1))
    powers = ring_powers(wave)[0]
    assert RINGS[int(powers.argmax())] == 4
    # every other ring holds rounding alone
    assert np.sort(powers)[-2] < powers.max() - 6


def test_outside_counts_decades_beyond_the_quantiles() -> None:
    known = np.linspace(0, 1, 101)[:, None]  # 2 and 98 % are 0.02 and 0.98
    assert outside(known, np.array([[0.5], [1.48], [-0.28]])) == pytest.approx(np.array([[0], [0.5], [-0.3]]))


def test_every_set_with_good_averages_is_recorded() -> None:
    assert len(recorded()) == 26
    assert all(np.isfinite(rows).all() and (np.diff(rows, axis=0) >= 0).all() for rows in recorded().values())


@pytest.mark.parametrize(("seen", "bounds"), [(of_simulated, PLAIN), (as_trained, TRAINED)])
def test_the_simulation_covers_the_real_medians_within_the_known_bounds(
    simulated: Labelled, seen: Callable[[Labelled], np.ndarray], bounds: dict[str, float]
) -> None:
    beyond = np.abs(outside(seen(simulated), medians()))
    assert beyond[:, COARSE].max() <= bounds["coarse"]
    assert beyond[:, ~COARSE].max() <= bounds["fine"]
    # All but the two threads of Pom152 lie within a tenth of a decade at the rings that shape a particle.
    assert np.sort(beyond[:, COARSE].max(axis=1))[:-2].max() <= 0.1


def test_the_bounds_see_a_simulation_without_detail(simulated: Labelled) -> None:
    powers = of_simulated(simulated) - 0.1 * np.array(RINGS)  # a soft focus: a decade less at ring 10
    assert np.abs(outside(powers, medians())[:, ~COARSE]).max() > PLAIN["fine"]
