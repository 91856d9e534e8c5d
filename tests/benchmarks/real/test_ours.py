"""What our own trainings read."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.real.ours import BAD, FOLDS, SPOILT, Bench
from benchmarks.real.sets import read_sets


@pytest.fixture
def bench(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("benchmarks.real.ours.SIMULATED", (1, 301))
    sets = [one for one in read_sets(shared / "data") if one.name in {"trpv1_c50", "slicem", "ha_trimer75"}]
    return Bench(sets=sets, data=shared / "data", begin=np.zeros(1, np.float32), kept=tmp_path)


def test_bad_averages_are_made_of_the_good_ones_that_may_be_trained_on(bench: Bench) -> None:
    mixture = bench.mixture(FOLDS["all"])
    spoilt = mixture.labelled.take(np.arange(len(mixture.labelled)) >= mixture.starts[-2])
    good = {one.name: one.n_good for one in bench.sets}
    assert len(spoilt) == SPOILT * (good["trpv1_c50"] + good["slicem"])  # ha_trimer75 only judges
    assert not spoilt.good.any()
    assert (spoilt.target == np.float32(BAD)).all()
    assert mixture.shares[-1] == pytest.approx(0.14, abs=0.005)
    assert sum(mixture.shares) == pytest.approx(1.0)


def test_a_molecule_that_is_left_out_is_in_no_part(bench: Bench) -> None:
    all_, without = bench.mixture(FOLDS["all"]), bench.mixture(FOLDS["trpv1"])
    sizes = np.diff(all_.starts) - np.diff(without.starts)
    trpv1 = next(one for one in bench.sets if one.name == "trpv1_c50")
    assert sizes[2] == trpv1.counted.sum()
    assert sizes[3] == SPOILT * trpv1.n_good
    assert sizes[0] > 0  # RELION's jobs of its kin


def test_the_start_sees_no_real_average_and_none_made_of_one(bench: Bench) -> None:
    assert len(bench.mixture(FOLDS["all"], real=False).shares) == 2
