"""RELION's own 2D classification of simulated particles, with truth for every class (needs RELION)."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError, OutputError
from cryofed.jobs import star
from cryofed.jobs.opening import open_job
from cryofed.simulation.files.relion import truth_table
from cryofed.simulation.files.stack import write_stack
from cryofed.simulation.files.star_text import Column, loop
from cryofed.simulation.molecules.shapes import random_molecule
from cryofed.simulation.molecules.structures import read_structure, structure_files
from cryofed.simulation.particles.class_truth import class_truth
from cryofed.simulation.particles.stack import Stack, particle_stack
from cryofed.simulation.spec import Spec, random_spec

PROGRAM = "relion_refine"
JOB = "Class2D/job010"
IMAGES = "Extract/job002/particles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How much RELION is given to do."""

    particles: int = 800
    classes: int = 16
    iterations: int = 20
    snr: float | None = None  # of one particle; drawn where not given
    junk_share: float | None = None  # of the particles, 0 to 1; drawn where not given


def classify(
    out: Path, number: int, seed: int, run: Run, *, workers: int = 1, structures: Path | None = None
) -> Path:
    """Make `out/project-<number>`: particles, RELION's classification of them, and `truth.tsv` beside it.

    Returns the folder of the classification.
    """
    if shutil.which(PROGRAM) is None:
        remedy = "install RELION (Debian and Ubuntu: package relion)"
        raise InputError(PROGRAM, "program", "not found", remedy)
    project = out / f"project-{number}"
    if project.exists():
        raise OutputError(project, "folder", "it exists", "name a new folder")
    rng = np.random.default_rng([seed, number])
    spec = _spec(number, rng, structures, run)
    snr = run.snr or float(np.exp(rng.uniform(np.log(0.05), np.log(0.3))))
    particles = particle_stack(spec, run.particles, snr, rng)
    try:
        (project / JOB).mkdir(parents=True)
        (project / IMAGES).parent.mkdir(parents=True)
    except OSError as error:
        found = error.strerror or "cannot be made"
        raise OutputError(project, "folder", found, "name a folder that can be written") from None
    write_stack(project / f"{IMAGES}.mrcs", particles.images, spec.pixel_size_angstrom)
    (project / f"{IMAGES}.star").write_text(_table(spec, particles))
    _relion(project, spec, run, seed=1 + int(rng.integers(2**30)), workers=workers)
    _write_truth(project, spec, particles, run)
    return project / JOB


def _spec(number: int, rng: np.random.Generator, structures: Path | None, run: Run) -> Spec:
    if structures is None:
        molecule = random_molecule(rng, f"molecule-{number}")
    else:
        files = structure_files(structures)
        molecule = read_structure(files[int(rng.integers(len(files)))])
    spec = random_spec(rng, f"project-{number}", (molecule,), boxes=(48, 64), finish="masked")
    junk = spec.junk_share if run.junk_share is None else run.junk_share
    return replace(
        spec, classes=run.classes, junk_share=junk, negative_stain=False, grain=0.0, eight_bit=False
    )


def _table(spec: Spec, particles: Stack) -> str:
    scope, n = spec.microscope, len(particles.kind)
    optics: dict[str, Column] = {
        "OpticsGroup": np.array([1]), "OpticsGroupName": ["opticsGroup1"],
        "AmplitudeContrast": np.array([scope.amplitude_contrast]),
        "SphericalAberration": np.array([scope.aberration_mm]), "Voltage": np.array([scope.voltage_kv]),
        "ImagePixelSize": np.array([spec.pixel_size_angstrom]), "ImageSize": np.array([spec.box]),
        "ImageDimensionality": np.array([2]),
    }  # fmt: skip
    rows: dict[str, Column] = {
        "ImageName": [f"{i:06d}@{IMAGES}.mrcs" for i in range(1, n + 1)],
        "MicrographName": [f"MotionCorr/job001/movies/mic_{i // 100:05d}.mrc" for i in range(n)],
        "OpticsGroup": np.ones(n, np.int64), "DefocusU": particles.defocus_angstrom,
        "DefocusV": particles.defocus_angstrom, "DefocusAngle": np.zeros(n),
    }  # fmt: skip
    return loop("optics", optics) + loop("particles", rows)


def _relion(project: Path, spec: Spec, run: Run, *, seed: int, workers: int) -> None:
    command = [
        PROGRAM, "--i", f"{IMAGES}.star", "--o", f"{JOB}/run", "--iter", str(run.iterations),
        "--K", str(run.classes), "--tau2_fudge", f"{spec.tau_fudge:g}",
        "--particle_diameter", f"{spec.mask_diameter_angstrom:g}", "--ctf", "--zero_mask",
        "--flatten_solvent", "--norm", "--scale", "--oversampling", "1", "--psi_step", "12",
        "--offset_range", "5", "--offset_step", "2", "--pool", "30", "--preread_images",
        "--dont_combine_weights_via_disc", "--random_seed", str(seed), "--j", str(workers),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    (project / JOB / "run.out").write_text(done.stdout)
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        last_words = lines[-1].strip() if lines else f"exit status {done.returncode}"
        raise InputError(project / JOB, PROGRAM, last_words, "read run.out there")
    (project / JOB / "RELION_JOB_EXIT_SUCCESS").touch()


def _write_truth(project: Path, spec: Spec, particles: Stack, run: Run) -> None:
    root = project / JOB / f"run_it{run.iterations:03d}"
    table = star.need_block(root.with_name(f"{root.name}_data.star"), "particles")

    def column(name: str) -> NDArray[np.float64]:
        return np.array(table[name], np.float64)

    # RELION writes the rows in an order of its own.
    order = np.array([int(name.partition("@")[0]) - 1 for name in table["rlnImageName"]])
    job = open_job(root.with_name(f"{root.name}_optimiser.star"))
    model = root.with_name(f"{root.name}_model.star")
    blocks = (star.need_block(model, f"model_class_{k}") for k in range(1, len(job.classes) + 1))
    truth = class_truth(
        spec,
        particles,
        np.asarray(job.averages, np.float32),
        ssnr=np.array([block["rlnSsnrMap"] for block in blocks], np.float64),
        order=order,
        class_index=column("rlnClassNumber").astype(np.int64) - 1,
        psi_degree=column("rlnAnglePsi"),
        origin_px=np.stack([column("rlnOriginXAngst"), column("rlnOriginYAngst")], axis=1)
        / spec.pixel_size_angstrom,
    )
    (project / JOB / "truth.tsv").write_text(truth_table(truth, job.classes.particles))
