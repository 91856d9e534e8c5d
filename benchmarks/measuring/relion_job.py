"""A RELION job of any size, for timing: blobs, spectra of every class, particles with 24 columns."""

from pathlib import Path

import mrcfile
import numpy as np

COLUMNS = (
    "CoordinateX CoordinateY ImageName MicrographName OpticsGroup DefocusU DefocusV DefocusAngle PhaseShift"
    " CtfBfactor CtfScalefactor GroupNumber AngleRot AngleTilt AnglePsi OriginXAngst OriginYAngst ClassNumber"
    " NormCorrection LogLikeliContribution MaxValueProbDistribution NrOfSignificantSamples CtfMaxResolution"
    " CtfFigureOfMerit"
)
OPTICS = (
    "OpticsGroup OpticsGroupName Voltage SphericalAberration AmplitudeContrast ImagePixelSize ImageSize"
    " ImageDimensionality"
)
CLASSES = (
    "ReferenceImage ClassDistribution AccuracyRotations AccuracyTranslationsAngst EstimatedResolution"
    " OverallFourierCompleteness ClassPriorOffsetX ClassPriorOffsetY"
)


def write_job(folder: Path, classes: int = 200, box: int = 256, particles: int = 200_000) -> Path:
    folder.mkdir(parents=True)
    run = f"Class2D/{folder.name}/run_it025"
    with mrcfile.new(folder / "run_it025_classes.mrcs") as mrc:
        mrc.set_data(averages(classes, box))
        mrc.set_image_stack()
        mrc.voxel_size = 1.5
    rows = [
        f"{i:06d}@{run}_classes.mrcs {1 / classes:12.6f} {2 + i % 7:12.6f} {3:12.6f} {8 + i % 20:12.6f}"
        " 1.0 0.0 0.0 \n"
        for i in range(1, classes + 1)
    ]
    general = f"_rlnReferenceDimensionality 2\n_rlnPixelSize 1.5\n_rlnNrClasses {classes}\n"
    spectrum = ["SpectralIndex", "Resolution", "AngstromResolution", "SsnrMap", "GoldStandardFsc"]
    lines = "".join(
        f"{k:12d} {k / box:12.6f} {box / max(k, 1):12.6f} {1 / (k + 1):12.6f} 0.5 \n" for k in range(129)
    )
    with (folder / "run_it025_model.star").open("w") as file:
        file.write(f"\ndata_model_general\n\n{general}\n")
        file.write(loop("model_classes", CLASSES.split()) + "".join(rows) + " \n")
        for number in range(1, classes + 1):
            file.write(loop(f"model_class_{number}", spectrum) + lines + " \n")
    write_particles(folder / "run_it025_data.star", particles, classes, box)
    (folder / "run_it025_optimiser.star").write_text(
        "\n# version 30001\n\ndata_optimiser_general\n\n"
        f"_rlnModelStarFile {run}_model.star \n_rlnExperimentalDataStarFile {run}_data.star \n"
        "_rlnParticleDiameter 250.000000 \n \n"
    )
    return folder


def write_particles(path: Path, particles: int, classes: int, box: int = 256) -> Path:
    """A particle table of about 400 bytes a row."""
    rng = np.random.default_rng(0)
    number = rng.integers(1, classes + 1, particles)
    values = rng.uniform(0, 9, 256)
    with path.open("w") as file:
        optics = f"           1 opticsGroup1   300.000000     2.700000     0.100000     1.500000 {box} 2 \n"
        file.write(loop("optics", OPTICS.split()) + optics + " \n" + loop("particles", COLUMNS.split()))
        for i in range(particles):
            v, mic = values[i % 256], i // 500
            name = f"grid2_square07_hole_{mic:05d}"
            file.write(
                f" {3000 + v:.6f}  {2000 + v:.6f} {i % 500 + 1:06d}@Extract/job010/micrographs/{name}.mrcs"
                f" MotionCorr/job002/micrographs/{name}.mrc            1 {16000 + v:.6f} {15900 + v:.6f}"
                f"   {100 + v:.6f}     0.000000     0.000000     1.000000 {mic + 1:12d}"
                f"     0.000000     0.000000   {10 * v:.6f}     {v:.6f}     {-v:.5f} {number[i]:12d}"
                f"     {0.6 + v / 99:.6f}  {6900 + v:.6f}     {v / 10:.6f} {i % 90:12d}     {4 + v / 9:.6f}"
                f"     {v / 90:.6f} \n"
            )
        file.write(" \n")
    return path


def loop(block: str, columns: list[str]) -> str:
    names = "".join(f"_rln{name} #{i} \n" for i, name in enumerate(columns, 1))
    return f"\n# version 30001\n\ndata_{block}\n\nloop_ \n{names}"


def averages(n: int, box: int) -> np.ndarray:
    """Smooth blobs on noise: enough to time what does not depend on the picture."""
    rng = np.random.default_rng(1)
    y, x = np.indices((box, box), dtype=np.float32) - box // 2
    result = rng.normal(0, 0.3, (n, box, box)).astype(np.float32)
    for i in range(n):
        for cy, cx in rng.normal(0, box / 9, (6, 2)):
            result[i] += np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * (box / 14) ** 2))
    return result
