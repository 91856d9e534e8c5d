"""What a score means beside the other classes of its job."""

import numpy as np
import pytest

from cryofed.scoring.in_job import (
    CONVINCES,
    COUNTED,
    HELD,
    LIKELY,
    LIMIT,
    LOWEST,
    STRAYS,
    USUAL,
    Jobs,
    in_job,
    limited,
)
from cryofed.selection.policy import Policy

CUT = Policy().threshold


def drawn(
    rng: np.random.Generator, jobs: Jobs, good: int, bad: int, far: float
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a job that lies so far from the others, and which are good."""
    kind = np.arange(good + bad) < good
    return rng.normal(np.where(kind, jobs.good, jobs.bad) + far, jobs.spread), kind


def slowly(logits: np.ndarray, jobs: Jobs, clear: float | None = None) -> tuple[np.ndarray, float]:
    """The same probabilities and doubt, one distance, one share and one class after the other."""

    def density(away: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-((away / jobs.spread) ** 2) / 2))

    tried = np.linspace(-4, 4, 49) * jobs.between
    mixed_shares = [(s, (1 - s) ** 2) for s in np.linspace(0.02, 0.98, 25)]
    of_all = sum(before for _, before in mixed_shares)
    shares = [(0.0, 0.2), *((s, 0.79 * before / of_all) for s, before in mixed_shares), (1.0, 0.01)]
    total, found, square = 0.0, np.zeros(len(logits)), 0.0
    telling = np.maximum(logits, LOWEST)
    for far in tried:
        good, bad = density(logits - far - jobs.good), density(logits - far - jobs.bad)
        for share, before in shares:
            mixed = share * good + (1 - share) * bad
            seen = share * density(telling - far - jobs.good) + (1 - share) * density(
                telling - far - jobs.bad
            )
            weight = before * np.prod(seen) ** min(1, COUNTED / len(logits))
            weight *= np.exp(-((far / jobs.between) ** 2) / 2)
            if clear is not None:  # above the middle
                weight *= np.exp(-(((clear - 3.3 - 1.5 * share) / 0.8) ** 2) / 2)
            total += weight
            found += weight * share * good / mixed
            square += weight * np.mean(share * good / mixed) ** 2
    found /= total
    return found, np.sqrt(square / total - found.mean() ** 2)


@pytest.mark.parametrize("n", [1, 5, 12])
def test_a_probability_is_the_mean_over_all_distances_and_shares(n: int) -> None:
    logits = np.random.default_rng(n).normal(0, 3, n)
    logits = np.clip(logits, -LIMIT, LIMIT)
    good, doubt = slowly(logits, USUAL)
    found = in_job(logits, USUAL)
    np.testing.assert_allclose(found.good, good, rtol=1e-9)
    assert found.doubt == pytest.approx(doubt, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("clear", [4.3, 6.0])
def test_a_clear_job_is_weighed_by_what_clear_jobs_hold(clear: float) -> None:
    logits = np.clip(np.random.default_rng(2).normal(0, 3, 7), -LIMIT, LIMIT)
    good, doubt = slowly(logits, USUAL, clear)
    found = in_job(logits, USUAL, clear)
    np.testing.assert_allclose(found.good, good, rtol=1e-9)
    assert found.doubt == pytest.approx(doubt, rel=1e-6, abs=1e-9)


def test_halfway_between_junk_and_good_classes_a_clear_job_is_good_and_any_other_is_not() -> None:
    logits = np.random.default_rng(6).normal(0.2, 0.5, 40)  # a job far from all others, on either side
    unknown, clear = in_job(logits, USUAL).good, in_job(logits, USUAL, 6.0).good
    assert unknown.max() < CUT
    assert clear.min() > 0.75
    assert (np.argsort(clear) == np.argsort(logits)).all()
    halfway = in_job(logits, USUAL, 4.05).good
    assert (in_job(logits, USUAL, 2.0).good == halfway).all()
    assert halfway.max() < CUT


def test_a_job_that_lies_halfway_is_doubted_and_one_whose_kinds_lie_apart_is_not() -> None:
    rng = np.random.default_rng(8)
    halfway = in_job(rng.normal(0.6, 0.5, 40), USUAL).doubt
    apart = [in_job(drawn(rng, USUAL, 20, 20, far)[0], USUAL).doubt for far in (-2.0, 0.0, 2.0)]
    junk, good = (in_job(rng.normal(mean, 1.0, 40), USUAL).doubt for mean in (-4.0, 4.2))
    assert 0.25 < halfway <= 0.5
    assert max(*apart, junk, good) < 0.1


@pytest.mark.parametrize("far", [-2.5, 0.0, 2.5])
def test_a_job_that_lies_apart_is_sorted_like_any_other(far: float) -> None:
    logits, good = drawn(np.random.default_rng(3), USUAL, 20, 30, far)
    kept = in_job(logits, USUAL).good >= CUT
    # two normal populations 8.2 apart of deviation 2: one class in fifty on the wrong side
    assert np.mean(kept == good) >= 0.94
    if far:  # each logit by itself, as a score that does not know its job
        assert np.mean(kept == good) > np.mean((logits >= np.log(CUT / (1 - CUT))) == good)


@pytest.mark.parametrize("far", [-1.5, 0.0, 1.5])
def test_jobs_of_one_kind_keep_all_or_nothing(far: float) -> None:
    rng = np.random.default_rng(4)
    all_good, _ = drawn(rng, USUAL, 40, 0, far)
    only_junk, _ = drawn(rng, USUAL, 0, 40, far)
    assert np.mean(in_job(all_good, USUAL).good >= CUT) >= 0.95
    assert np.mean(in_job(only_junk, USUAL).good >= CUT) <= 0.03


def test_the_order_stays_and_every_probability_is_one() -> None:
    rng = np.random.default_rng(5)
    for n in (1, 2, 30, 500):
        logits = np.sort(rng.normal(0, rng.uniform(0.1, 30), n))
        score = in_job(logits, USUAL).good
        assert (np.diff(score) >= 0).all()
        assert ((score >= 0) & (score <= 1)).all()
    extreme = in_job(np.array([-1e300, 0.0, 1e300]), USUAL).good
    assert extreme[0] < 1e-3 < CUT < 0.999 < extreme[2]
    nothing = in_job(np.zeros(0), USUAL)
    assert nothing.good.shape == (0,)
    assert nothing.doubt == 0


def test_beyond_the_limit_little_counts_and_the_order_stays() -> None:
    found = limited(np.array([-6 - np.e, -7.0, 3.0, 6 + np.e, 6 + np.e**2]))
    np.testing.assert_allclose(found, [-7.1, -7.0, 3.0, 7.1, 7.2])


def test_very_bad_classes_do_not_make_the_least_bad_ones_good() -> None:
    least_bad = np.array([-1.6, -1.2, -0.8])
    alike = in_job(np.concatenate([least_bad, np.full(30, LOWEST)]), USUAL).good[:3]
    worse = in_job(np.concatenate([least_bad, np.full(30, -6.9)]), USUAL).good[:3]
    assert alike.max() < CUT
    np.testing.assert_allclose(worse, alike, rtol=1e-9)


def test_a_single_good_class_among_much_junk_is_kept() -> None:
    logits, _ = drawn(np.random.default_rng(6), USUAL, 1, 60, 0)
    logits[0] = 6.5
    kept = in_job(logits, USUAL).good >= CUT
    assert kept[0]
    assert kept.sum() <= 3


def test_few_that_look_good_beside_much_worse_ones_alone_are_not_kept() -> None:
    worse = np.full(10, -6.0)
    halfway, convincing = np.array([1.9, 1.2]), np.array([CONVINCES, 1.2])
    found = in_job(np.concatenate([halfway, worse]), USUAL).good
    assert (found < CUT).all()
    assert found[0] > found[1] > found[2:].max()  # the order stays
    assert in_job(np.concatenate([convincing, worse]), USUAL).good[0] > 0.8
    many = in_job(np.concatenate([np.tile(halfway, 5), worse]), USUAL).good
    assert (many[:10] >= CUT).all()


def test_what_looks_good_is_what_the_default_policy_keeps() -> None:
    assert LIKELY == CUT
    assert HELD + STRAYS * (1 - HELD) < CUT  # where none convinces, none is kept
