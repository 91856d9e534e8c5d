"""Particles of a class come from the stacks that the job names, and what is missing is said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.recfunctions import append_fields

from cryofed.errors import InputError
from cryofed.jobs.opening import open_job
from cryofed.jobs.particle_images import particle_images

Maker = Callable[..., Path]


def numbered(n: int) -> np.ndarray:
    """n particles of 16 × 16 pixels; the first pixel of each is its place in the stack."""
    images = np.random.default_rng(0).normal(size=(n, 16, 16)).astype(np.float32)
    images[:, 0, 0] = np.arange(n)
    return images


def test_relion_names_image_and_stack_from_the_project(relion_job: Path, make_mrc: Maker) -> None:
    make_mrc(relion_job.parents[1] / "p.mrcs", numbered(142))
    job = open_job(relion_job)
    assert job.particle_classes is not None
    for number, k in ((1, 24), (5, 5), (2, 0)):  # 40, 5 and no particles; 24 are shown at most
        images = particle_images(job, number)
        assert len(images) == k
        places = images[:, 0, 0].astype(int)
        assert (job.particle_classes[places] == number).all()
        assert len(set(places.tolist())) == k
    rows = np.flatnonzero(job.particle_classes == 1)
    assert particle_images(job, 1)[[0, -1], 0, 0].tolist() == rows[[0, -1]].tolist()  # spread over the job


def test_stacks_that_are_gone_are_said(relion_job: Path, stack: Path) -> None:
    with pytest.raises(
        InputError, match=r"p.mrcs: particle stack: not on this machine; copy the stacks back"
    ):
        particle_images(open_job(relion_job), 1)
    with pytest.raises(InputError, match="no particle table"):
        particle_images(open_job(stack), 1)


def test_a_stack_that_is_too_short_is_said(relion_job: Path, make_mrc: Maker) -> None:
    make_mrc(relion_job.parents[1] / "p.mrcs", numbered(3))
    with pytest.raises(InputError, match="no image"):
        particle_images(open_job(relion_job), 1)


@pytest.fixture
def with_images(cryosparc_job: Path, make_mrc: Maker) -> Path:
    """The job with the names of its images in the passthrough, in reverse order; ESS of row i is i."""
    (cryosparc_job.parent / "J2").mkdir()
    make_mrc(cryosparc_job.parent / "J2/p.mrc", numbered(142))
    particles = np.load(cryosparc_job / "J12_020_particles.cs")
    passed = np.zeros(142, [("uid", "<u8"), ("blob/path", "S20"), ("blob/idx", "<u4")])
    passed["uid"], passed["blob/path"], passed["blob/idx"] = particles["uid"], b"J2/p.mrc", np.arange(142)
    ess = append_fields(particles, "alignments2D/class_ess", np.arange(142.0), usemask=False)
    for name, rows in (("J12_passthrough_particles.cs", passed[::-1]), ("J12_020_particles.cs", ess)):
        with (cryosparc_job / name).open("wb") as file:
            np.save(file, rows)
    return cryosparc_job


def test_cryosparc_names_them_in_what_was_passed_through(with_images: Path) -> None:
    job = open_job(with_images)
    assert job.particle_classes is not None
    places = particle_images(job, 6)[:, 0, 0].astype(int)
    assert len(places) == 12
    assert (job.particle_classes[places] == 6).all()


def test_the_effective_sample_size_of_a_class_is_the_mean_of_its_particles(
    with_images: Path, relion_job: Path
) -> None:
    job = open_job(with_images)
    assert job.class_ess is not None
    assert job.particle_classes is not None
    assert job.class_ess[0] == pytest.approx(np.flatnonzero(job.particle_classes == 1).mean())
    assert np.isnan(job.class_ess[1])  # the class is empty
    assert open_job(relion_job).class_ess is None
