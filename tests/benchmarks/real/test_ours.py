"""What our own trainings read."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from benchmarks.real.folds import FOLDS
from benchmarks.real.ours import Bench
from benchmarks.real.recipe import BAD, SPOILT, junk_job
from benchmarks.real.sets import read_sets

from cryofed.learning.mixture import Mixture
from cryofed.library.labelled import Labelled
from cryofed.simulation.classify import JOB, PROGRAM, Run


@pytest.fixture
def bench(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("benchmarks.real.recipe.SIMULATED", (1, 301))
    monkeypatch.setattr("benchmarks.real.recipe.JUNK_SEEDS", (21,))
    monkeypatch.setattr("benchmarks.real.recipe.JUNK_JOBS", 1)
    # Jobs of junk are read where they were made before. Here one has good classes: none may count as good.
    made = tmp_path / "junk" / "seed-21" / "project-1" / JOB
    shutil.copytree(next((shared / "data" / "relion_training").glob("*/truth.tsv")).parent, made)
    sets = [one for one in read_sets(shared / "data") if one.name in {"trpv1_c50", "slicem", "ha_trimer75"}]
    return Bench(sets=sets, data=shared / "data", begin=np.zeros(1, np.float32), kept=tmp_path)


def part(mixture: Mixture, at: int) -> Labelled:
    rows = np.arange(len(mixture.labelled))
    return mixture.labelled.take((rows >= mixture.starts[at]) & (rows < mixture.starts[at + 1]))


def test_bad_averages_are_made_of_the_good_ones_that_may_be_trained_on(bench: Bench) -> None:
    mixture = bench.mixture(FOLDS["all"])
    spoilt = part(mixture, 3)
    good = {one.name: one.n_good for one in bench.sets}
    assert len(spoilt) == SPOILT * (good["trpv1_c50"] + good["slicem"])  # ha_trimer75 only judges
    assert not spoilt.good.any()
    assert (spoilt.target == np.float32(BAD)).all()
    assert mixture.shares[3] == pytest.approx(0.118, abs=0.001)
    assert sum(mixture.shares) == pytest.approx(1.0)


def test_every_class_of_a_job_of_junk_is_bad(bench: Bench) -> None:
    junk = part(bench.mixture(FOLDS["all"]), 4)
    assert len(junk)
    assert not junk.good.any()
    assert (junk.target == np.float32(BAD)).all()


def test_a_molecule_that_is_left_out_is_in_no_part(bench: Bench) -> None:
    all_, without = bench.mixture(FOLDS["all"]), bench.mixture(FOLDS["trpv1"])
    sizes = np.diff(all_.starts) - np.diff(without.starts)
    trpv1 = next(one for one in bench.sets if one.name == "trpv1_c50")
    assert sizes[2] == trpv1.counted.sum()
    assert sizes[3] == SPOILT * trpv1.n_good
    assert sizes[0] > 0  # RELION's jobs of its kin


def test_the_start_sees_no_real_average_and_none_made_of_one(bench: Bench) -> None:
    assert len(bench.mixture(FOLDS["all"], real=False).shares) == 2


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="RELION is not installed")
def test_a_job_of_junk_that_was_stopped_is_made_anew_and_one_that_ended_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Run(particles=60, classes=2, iterations=1, junk_share=1.0)
    monkeypatch.setattr("benchmarks.real.recipe.JUNK", few)
    left = tmp_path / "project-1" / JOB / "run_it000_classes.mrcs"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    truth = junk_job(tmp_path, 1, 21) / "truth.tsv"
    assert left.stat().st_size > 4
    written = truth.stat().st_mtime_ns
    assert junk_job(tmp_path, 1, 21) == truth.parent
    assert truth.stat().st_mtime_ns == written
