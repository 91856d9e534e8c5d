"""Averages of one view are one group, whatever their rotation, hand, shift and noise."""

from pathlib import Path

import numpy as np
import pytest

from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.scoring.prepare import normalize
from cryofed.selection.views import _thinned, average_linkage, group_views, similarity, views_kept

SIDE = 64


def molecule(
    seed: int, angle: float = 0.0, mirrored: bool = False, shift: float = 0.0, noise: float = 0.2
) -> np.ndarray:
    """A handful of bright beads in a plane; the seed is the view."""
    beads = np.random.default_rng(seed).normal(0, 9, (7, 2))
    if mirrored:
        beads = beads * [1, -1]
    cosine, sine = np.cos(angle), np.sin(angle)
    beads = beads @ np.array([[cosine, -sine], [sine, cosine]]) + shift
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    image = sum(np.exp(-((y - b[0]) ** 2 + (x - b[1]) ** 2) / 18) for b in beads)
    rng = np.random.default_rng(int(1000 * abs(angle)) + seed)
    return normalize((image + rng.normal(0, noise, image.shape)).astype(np.float32)[None])[0]


def test_rotation_and_mirror_do_not_make_another_view() -> None:
    images = np.stack(
        [molecule(1), molecule(1, angle=2.1), molecule(1, angle=0.7, mirrored=True), molecule(2)]
    )
    alike = similarity(images)
    assert alike[0, 1] > 0.85
    assert alike[0, 2] > 0.85
    assert alike[0, 3] < 0.7


def test_a_shift_does_not_make_another_view() -> None:
    assert similarity(np.stack([molecule(1), molecule(1, angle=1.0, shift=3.0)]))[0, 1] > 0.85


def test_likeness_is_symmetric_and_one_with_itself() -> None:
    alike = similarity(np.stack([molecule(seed) for seed in range(5)]))
    assert np.allclose(alike, alike.T)
    assert np.allclose(np.diag(alike), 1)


def test_groups_are_the_views() -> None:
    views = [0, 0, 1, 1, 1, 2]
    images = np.stack(
        [molecule(10 + view, angle=0.9 * i, mirrored=i % 2 == 0) for i, view in enumerate(views)]
    )
    label = average_linkage(similarity(images), 0.8)
    assert [[a == b for b in label] for a in label] == [[a == b for b in views] for a in views]


@pytest.mark.parametrize(("same", "groups"), [(0.95, 3), (0.85, 2), (0.0, 1)])
def test_merging_stops_where_the_mean_likeness_falls_below_the_limit(same: float, groups: int) -> None:
    alike = np.array([[1, 0.9, 0.3], [0.9, 1, 0.1], [0.3, 0.1, 1]], np.float32)
    # 1 and 2 merge at 0.9; their mean likeness to 3 is (0.3 + 0.1) / 2 = 0.2
    assert len(set(average_linkage(alike, same).tolist())) == groups


@pytest.mark.parametrize(
    ("score", "found"),
    [
        ([0.9, 0.1, 0.3, 0.05, np.nan], (1, 1)),  # view 1 by its firm score; 0.3 alone says nothing
        ([0.3, 0.25, 0.85, 0.05, np.nan], (1, 2)),  # view 1 by two likely classes; view 2 is firm, and lost
        ([0.79, 0.1, 0.1, 0.1, np.nan], (0, 0)),  # kept, but one soft class and junk beside it are no comfort
    ],
)
def test_a_view_counts_by_two_likely_classes_or_a_firm_one(
    score: list[float], found: tuple[int, int]
) -> None:
    view = np.array([1, 1, 2, 3, 0])
    kept = np.array([True, False, False, False, False])
    assert views_kept(view, kept, np.array(score)) == found


@pytest.mark.parametrize("box", [256, 258, 384, 500])
def test_a_large_box_is_thinned_around_its_center(box: int) -> None:
    y, x = np.indices((box, box), dtype=np.float32) - box // 2
    image = np.exp(-((y / 40) ** 2) - (x / 20) ** 2)
    job = ClassJob(
        program="images",
        path=Path("a"),
        name="a",
        averages=np.stack([image, np.rot90(image)]),
        classes=ClassTable.unknown(2),
        pixel_size_angstrom=1.0,
        mask_diameter_angstrom=200.0,
    )
    thin = _thinned(job)
    assert 128 <= thin.box <= 250
    middle = thin.box // 2
    assert thin.averages[0, middle, middle] == 1  # the peak of the blob
    assert thin.mask_radius_px is not None
    assert job.mask_radius_px is not None
    assert thin.mask_radius_px / thin.box == pytest.approx(job.mask_radius_px / box, rel=0.02)
    assert group_views(job, np.array([0.9, 0.8])).tolist() == [1, 1]
