"""Truth of RELION's classes from their known particles; with RELION installed, a real classification."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryofed.errors import InputError
from cryofed.jobs.opening import open_job
from cryofed.scoring.reasons import REASONS
from cryofed.simulation.classify import PROGRAM, Run, classify
from cryofed.simulation.imaging.projection import project
from cryofed.simulation.molecules.shapes import random_molecule
from cryofed.simulation.particles.class_truth import aligned, class_truth
from cryofed.simulation.particles.stack import Stack, particle_stack
from cryofed.simulation.spec import random_spec


def five_particles() -> Stack:
    """Three true particles of one view, a fourth of another, and a gold bead."""
    front = np.eye(3)
    side = np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])
    return Stack(
        images=np.zeros((5, 48, 48), np.float32),
        kind=("", "", "", "", "disc"),
        molecule=np.array([0, 0, 0, 0, -1]),
        turns=np.stack([front, front, front, side, front]),
        shifts_px=np.zeros((5, 2)),
        defocus_angstrom=np.full(5, 1e4),
    )


def test_a_class_is_judged_by_the_particles_in_it_and_by_its_own_view() -> None:
    rng = np.random.default_rng(1)
    molecule = random_molecule(rng, kind="barrel")
    pixel = molecule.diameter_angstrom / 30
    spec = replace(
        random_spec(rng, molecules=(molecule,), boxes=(48,), finish="masked"),
        pixel_size_angstrom=pixel, mask_diameter_angstrom=44 * pixel,
    )  # fmt: skip
    perfect = project(molecule, np.eye(3)[None], np.zeros((1, 2)), box=48, pixel_size_angstrom=pixel)
    noise = rng.standard_normal((48, 48)).astype(np.float32)
    truth = class_truth(
        spec,
        five_particles(),
        np.stack([perfect, noise]),
        ssnr=np.full((2, 25), 100.0),
        order=np.arange(5),
        class_index=np.array([0, 0, 0, 0, 1]),
        psi_degree=np.zeros(5),
        origin_px=np.zeros((5, 2)),
    )
    assert truth.purity.tolist() == [1.0, 0.0]
    assert truth.correlation[0] == pytest.approx(1, abs=1e-3)  # the medoid is one of the three
    assert truth.view_spread_degree[0] == pytest.approx(90 / 4)  # three at 0°, one at 90°
    assert truth.good.tolist() == [True, False]
    assert truth.junk == ("", "disc")
    assert REASONS[truth.reason[1]] == "contamination or ice"


def test_relions_origin_and_psi_undo_the_pose_of_a_particle() -> None:
    particles = replace(five_particles(), shifts_px=np.full((5, 2), 3.0))
    turn, shift = aligned(particles, 0, 90.0, np.array([-3.0, -3.0]))
    np.testing.assert_allclose(shift, 0)  # moved back by the origin
    np.testing.assert_allclose(turn @ [1, 0, 0], [0, 1, 0], atol=1e-12)  # psi turns x to y


def test_single_particles_have_noise_of_deviation_one_and_the_share_of_junk_asked_for() -> None:
    rng = np.random.default_rng(4)
    spec = replace(random_spec(rng, boxes=(48,), finish="masked"), junk_share=0.3)
    made = particle_stack(spec, 200, snr=0.1, rng=rng)
    assert made.images.shape == (200, 48, 48)
    share = np.mean([kind != "" for kind in made.kind])
    assert share == pytest.approx(0.3, abs=0.1)  # three deviations of 200 draws
    empty = [i for i, kind in enumerate(made.kind) if kind == "noise"]
    assert made.images[empty].std() == pytest.approx(1, abs=0.02)


def test_where_all_is_junk_it_is_as_strong_as_beside_particles() -> None:
    spec = replace(random_spec(np.random.default_rng(4), boxes=(48,), finish="masked"), junk_share=1.0)
    junk = particle_stack(spec, 120, snr=0.3, rng=np.random.default_rng(5))
    assert "" not in junk.kind
    assert (junk.molecule == -1).all()
    beside = particle_stack(replace(spec, junk_share=0.5), 240, snr=0.3, rng=np.random.default_rng(5))

    def power(made: Stack) -> float:
        discs = [i for i, kind in enumerate(made.kind) if kind == "disc"]
        return float(made.images[discs].std())

    assert power(junk) == pytest.approx(power(beside), rel=0.25)


def test_without_relion_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="install RELION"):
        classify(tmp_path / "out", 1, 0, Run())
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="RELION is not installed")
def test_relion_classifies_simulated_particles_and_every_class_has_its_truth(tmp_path: Path) -> None:
    folder = classify(tmp_path, 1, 2, Run(particles=80, classes=3, iterations=2, snr=0.5))
    job = open_job(folder)
    with (folder / "truth.tsv").open() as file:
        truth = list(csv.DictReader(file, delimiter="\t"))
    assert len(truth) == len(job.classes) == 3
    assert [int(row["n_particles"]) for row in truth] == job.classes.particles.tolist()
    assert job.total_particles == 80
