"""Small jobs of every program, written by hand, and where the development data is."""

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# A busy machine makes no example wrong: what counts is the answer, not how long it took.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = [
    "rlnReferenceImage",
    "rlnClassDistribution",
    "rlnAccuracyRotations",
    "rlnAccuracyTranslationsAngst",
    "rlnEstimatedResolution",
    "rlnOverallFourierCompleteness",
    "rlnClassPriorOffsetX",
    "rlnClassPriorOffsetY",
]
OPTICS = [
    "rlnOpticsGroup",
    "rlnOpticsGroupName",
    "rlnVoltage",
    "rlnSphericalAberration",
    "rlnAmplitudeContrast",
    "rlnImagePixelSize",
    "rlnImageSize",
    "rlnImageDimensionality",
]
PARTICLES = [
    "rlnImageName",
    "rlnOpticsGroup",
    "rlnAnglePsi",
    "rlnClassNumber",
    "rlnNormCorrection",
]
ROOT_NAME = "run_it025"


@pytest.fixture(scope="session", autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Drafts and lessons of the tests never mix with those of the person who runs them."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


def blobs(n: int, box: int = 32, seed: int = 0) -> np.ndarray:
    """Averages with a bright ellipse in the middle and noise around it."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((box, box)) - box // 2
    width = rng.uniform(0.15, 0.3, (n, 2, 1, 1)) * box
    shape = np.exp(-((y / width[:, 0]) ** 2) - (x / width[:, 1]) ** 2)
    return (3 * shape + rng.normal(0, 0.2, (n, box, box))).astype(np.float32)


def write_mrc(path: Path, images: np.ndarray, pixel: float = 3.0) -> Path:
    with mrcfile.new(path, overwrite=True) as mrc:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some are not numbers, on purpose
            mrc.set_data(images)
        mrc.set_image_stack()
        mrc.voxel_size = pixel
    return path


def loop(block: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A STAR loop as RELION lays it out."""
    head = "".join(f"_{name} #{i} \n" for i, name in enumerate(columns, 1))
    body = "".join(" ".join(f"{value!s:>12}" for value in row) + " \n" for row in rows)
    return f"\n# version 30001\n\ndata_{block}\n\nloop_ \n{head}{body} \n"


def pairs(block: str, values: dict[str, object]) -> str:
    """A STAR list as RELION lays it out."""
    lines = "".join(f"_{name:<50} {value} \n" for name, value in values.items())
    return f"\n# version 30001\n\ndata_{block}\n\n{lines} \n"


def write_relion(folder: Path, images: np.ndarray, counts: Sequence[int], seed: int = 0) -> Path:
    """A RELION 3.1 job of `counts[i]` particles in class i + 1, their rows shuffled."""
    folder.mkdir(parents=True)
    n, box, _ = images.shape
    name = f"Class2D/{folder.name}/{ROOT_NAME}"
    write_mrc(folder / f"{ROOT_NAME}_classes.mrcs", images)
    total = max(sum(counts), 1)
    rows = [
        (
            f"{i:06d}@{name}_classes.mrcs",
            f"{c / total:.6f}",
            2.0 + i,
            3.0,
            10.0 + i if c else "inf",
            1.0,
            0.0,
            0.0,
        )
        for i, c in enumerate(counts, 1)
    ]
    general = {"rlnReferenceDimensionality": 2, "rlnPixelSize": "3.000000", "rlnNrClasses": n}
    spectra = "".join(loop(f"model_class_{i}", ["rlnSpectralIndex"], [(0,), (1,)]) for i in range(1, n + 1))
    model = pairs("model_general", general) + loop("model_classes", COLUMNS, rows) + spectra
    (folder / f"{ROOT_NAME}_model.star").write_text(model)
    rng = np.random.default_rng(seed)
    assigned = rng.permutation(np.repeat(np.arange(1, n + 1), counts))
    particles = [
        (f"{i:06d}@p.mrcs", 1, f"{rng.uniform(0, 360):.6f}", c, "0.900000") for i, c in enumerate(assigned, 1)
    ]
    optics = loop("optics", OPTICS, [(1, "opticsGroup1", 300.0, 2.7, 0.1, 3.0, box, 2)])
    (folder / f"{ROOT_NAME}_data.star").write_text(optics + loop("particles", PARTICLES, particles))
    settings = {
        "rlnOutputRootName": name.removesuffix("_it025"),
        "rlnModelStarFile": f"{name}_model.star",
        "rlnExperimentalDataStarFile": f"{name}_data.star",
        "rlnOrientSamplingStarFile": f"{name}_sampling.star",
        "rlnCurrentIteration": 25,
        "rlnParticleDiameter": "80.000000",
    }
    text = "# RELION optimiser; version 3.1.3\n" + pairs("optimiser_general", settings)
    (folder / f"{ROOT_NAME}_optimiser.star").write_text(text)
    return folder


def write_cryosparc(folder: Path, images: np.ndarray, counts: Sequence[int], job: str = "J12") -> Path:
    """A CryoSPARC job whose table of classes stands in reverse order of the images."""
    folder.mkdir(parents=True, exist_ok=True)
    n, box, _ = images.shape
    for iteration in (0, 20):
        stem = f"{job}_{iteration:03d}"
        write_mrc(folder / f"{stem}_class_averages.mrc", images)
        path = f"{job}/{stem}_class_averages.mrc"
        templates = np.zeros(n, TEMPLATE)
        index = np.arange(n)[::-1]
        templates["uid"], templates["blob/idx"] = 1000 + index, index
        templates["blob/path"], templates["blob/shape"] = path, box
        templates["blob/psize_A"], templates["blob/res_A"] = 3.0, 10.0 + index
        np.save(folder / "x.npy", templates)
        (folder / "x.npy").rename(folder / f"{stem}_class_averages.cs")
        rng = np.random.default_rng(iteration)
        assigned = rng.permutation(np.repeat(np.arange(n), counts if iteration else counts[::-1]))
        particles = np.zeros(len(assigned), PARTICLE)
        particles["uid"] = rng.integers(1, 2**63, len(assigned))
        particles["alignments2D/class"] = assigned
        particles["alignments2D/pose"] = rng.uniform(-3, 3, len(assigned))
        particles["alignments2D/shift"] = rng.normal(size=(len(assigned), 2))
        np.save(folder / "x.npy", particles)
        (folder / "x.npy").rename(folder / f"{stem}_particles.cs")
    np.save(folder / "x.npy", particles[["uid"]])
    (folder / "x.npy").rename(folder / f"{job}_passthrough_particles.cs")
    return folder


TEMPLATE = np.dtype(
    [
        ("uid", "<u8"),
        ("blob/path", "S60"),
        ("blob/idx", "<u4"),
        ("blob/shape", "<u4", (2,)),
        ("blob/psize_A", "<f4"),
        ("blob/res_A", "<f4"),
    ]
)
PARTICLE = np.dtype(
    [
        ("uid", "<u8"),
        ("alignments2D/class", "<u4"),
        ("alignments2D/class_posterior", "<f4"),
        ("alignments2D/pose", "<f4"),
        ("alignments2D/shift", "<f4", (2,)),
    ]
)
COUNTS = (40, 0, 25, 60, 5, 12)  # class 2 is empty, class 5 has too few to be scored


@pytest.fixture
def relion_job(tmp_path: Path) -> Path:
    """Six classes in `Class2D/job012` of a project."""
    images = blobs(6)
    images[1] = 0  # RELION leaves the average of an empty class blank
    return write_relion(tmp_path / "project/Class2D/job012", images, COUNTS)


@pytest.fixture
def cryosparc_job(tmp_path: Path) -> Path:
    images = blobs(6)
    images[1] = 0
    return write_cryosparc(tmp_path / "P3/J12", images, COUNTS)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return write_mrc(tmp_path / "averages.mrcs", blobs(6))


@pytest.fixture
def make_relion() -> Callable[..., Path]:
    return write_relion


@pytest.fixture
def make_cryosparc() -> Callable[..., Path]:
    return write_cryosparc


@pytest.fixture
def make_mrc() -> Callable[..., Path]:
    return write_mrc


@pytest.fixture
def make_blobs() -> Callable[..., np.ndarray]:
    return blobs


@pytest.fixture
def shared() -> Path:
    """The development data, which is not part of the project."""
    for place in (os.environ.get("CRYOFED_SHARED"), ROOT.parent / "shared", ROOT.parent.parent / "shared"):
        if place and (Path(place) / "data").is_dir():
            return Path(place)
    pytest.skip("no development data: set CRYOFED_SHARED or put shared/ beside the checkout")
