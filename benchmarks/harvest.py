"""Harvest a thousand RELION jobs from a disk: seconds, and the same again when all are known."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import mrcfile
import numpy as np

from cryofed.library.harvest import walk
from cryofed.library.harvest.importing import harvest
from cryofed.library.store import Library


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--classes", type=int, default=50)
    parser.add_argument("--box", type=int, default=128)
    parser.add_argument("--particles", type=int, default=20_000, help="of each job")
    options = parser.parse_args([] if argv is None else argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write = _writer(options.classes, options.box, options.particles)
        for number in range(options.jobs):
            write(folder / f"data/project{number // 10:03d}", number)
        with Library(folder / "site.db", create=True) as library:
            for title in ("new", "known already"):
                start, cpu = time.perf_counter(), time.process_time()
                outcomes = list(harvest(walk.find([folder / "data"]), library))
                seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
                counts = {
                    what: sum(o.what == what for o in outcomes) for what in ("used", "known", "skipped")
                }
                print(f"{len(outcomes)} selections, {title}: {seconds:.1f} s ({cpu:.1f} s of CPU), {counts}")


def _writer(n: int, box: int, particles: int):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    averages = rng.standard_normal((n, box, box), dtype=np.float32)
    row = "{:06d}@Extract/job003/stack.mrcs  mic{:04d}.mrc 1234.500000 2345.600000 12000.000000 11900.000000"
    rows = "".join(
        f"{row.format(i, i % 500)} 0.1 0.2 33.3 -1.5 2.5 {1 + i % n} 1 0.9 {i}\n" for i in range(particles)
    )
    names = (
        "rlnImageName rlnMicrographName rlnCoordinateX rlnCoordinateY rlnDefocusU rlnDefocusV rlnPhaseShift"
    )
    names += " rlnAngleRot rlnAnglePsi rlnOriginXAngst rlnOriginYAngst rlnClassNumber rlnOpticsGroup"
    names += " rlnMaxValueProbDistribution rlnGroupNumber"
    data = "\ndata_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnImagePixelSize #2\n1 3.0\n"
    data += "\ndata_particles\n\nloop_\n"
    data += "".join(f"_{c} #{i}\n" for i, c in enumerate(names.split(), 1)) + rows

    def write(project: Path, number: int) -> None:
        class2d, select = project / f"Class2D/job{number:04d}", project / f"Select/job{number:04d}"
        class2d.mkdir(parents=True)
        select.mkdir(parents=True)
        (project / "default_pipeline.star").touch()
        averages[:, :2, :2] += 1  # other pictures in every job
        with mrcfile.new(class2d / "run_it025_classes.mrcs") as mrc:
            mrc.set_data(averages)
        root = f"Class2D/job{number:04d}/run_it025"
        classes = "".join(
            f"{i:06d}@{root}_classes.mrcs {1 / n} 1.5 2.5 {10 + i % 9}\n" for i in range(1, n + 1)
        )
        (class2d / "run_it025_model.star").write_text(
            "\ndata_model_general\n\n_rlnReferenceDimensionality 2\n_rlnPixelSize 3.0\n"
            "\ndata_model_classes\n\nloop_\n"
            "_rlnReferenceImage #1\n_rlnClassDistribution #2\n_rlnAccuracyRotations #3\n"
            f"_rlnAccuracyTranslationsAngst #4\n_rlnEstimatedResolution #5\n{classes}"
        )
        (class2d / "run_it025_data.star").write_text(data)
        (class2d / "run_it025_optimiser.star").write_text(
            f"\ndata_optimiser_general\n\n_rlnModelStarFile {root}_model.star\n"
            f"_rlnExperimentalDataStarFile {root}_data.star\n_rlnParticleDiameter 250\n"
        )
        (select / "job.star").write_text(
            "\ndata_job\n\n_rlnJobTypeLabel relion.select.interactive\n\ndata_joboptions_values\n\nloop_\n"
            f"_rlnJobOptionVariable #1\n_rlnJobOptionValue #2\nfn_model {root}_optimiser.star\n"
        )
        kept = rng.integers(0, 2, n)
        (select / "backup_selection.star").write_text(
            "\ndata_\n\nloop_\n_rlnSelected #1\n" + "".join(f"{k}\n" for k in kept)
        )

    return write


if __name__ == "__main__":
    main(sys.argv[1:])
