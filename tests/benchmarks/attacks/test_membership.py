"""Whether the attacks on releases find what is there, and nothing where nothing is."""

from __future__ import annotations

from statistics import mean

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.attacks.averages import halves
from benchmarks.attacks.membership import Pair, Trained, told
from tests.federation.labelled_blobs import labelled

from cryofed.library.labelled import Labelled

JOBS, EACH, PAIRS = 40, 10, 8


def averages() -> Labelled:
    return Labelled.join([labelled(EACH, seed) for seed in range(JOBS)])


def pairs(pool: Labelled, leak: float) -> list[Pair]:
    """Releases that say each average's truth by chance, and are surer by `leak` where it was in training."""
    rng = np.random.default_rng(14)
    made = []
    for seed in range(PAIRS):
        half = halves(pool, seed)
        said = [rng.normal(leak * members, 1.0) * np.where(pool.good, 1, -1) for members in (half, ~half)]
        made.append(
            (
                Trained(members=half, logits=said[0]),
                Trained(members=~half, logits=said[1]),
            )
        )
    return made


def test_each_job_is_in_one_release_of_a_pair_and_so_as_often_in_as_out_of_the_others() -> None:
    pool = averages()
    for one, other in pairs(pool, 0.0):
        assert (one.members != other.members).all()
        assert len(np.unique(pool.job[one.members])) == JOBS // 2
        assert not set(pool.job[one.members]) & set(pool.job[other.members])


@pytest.mark.parametrize(
    ("leak", "least", "most"),
    [
        (0.0, 0.48, 0.52),  # 16 releases of 400 averages: a deviation of .007
        (1.0, 0.70, 0.78),  # Φ(1 / √2) = .76 is what two normal curves one apart allow; means of 7 blur it
    ],
)
def test_the_likelihood_ratio_finds_a_planted_leak_and_no_other(
    leak: float, least: float, most: float
) -> None:
    pool = averages()
    figures = told(pool, np.zeros(len(pool)), pairs(pool, leak))
    assert len(figures["likelihood ratio auc"]) == 2 * PAIRS
    assert least < mean(figures["likelihood ratio auc"]) < most


def test_the_difference_finds_a_planted_leak_and_no_other() -> None:
    pool = averages()
    none, much = (told(pool, np.zeros(len(pool)), pairs(pool, leak)) for leak in (0.0, 1.0))
    assert 0.48 < mean(none["difference auc"]) < 0.52
    assert 0.74 < mean(much["difference auc"]) < 0.78  # Φ(1 / √2) = .76
    assert mean(none["difference found"]) < 0.03
