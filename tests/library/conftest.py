"""Small RELION, CryoSPARC and EMPIAR-10812 projects, written by hand."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import mrcfile
import numpy as np
import pytest

JobOptions = dict[str, str]
BOX = 32


def stack(path: Path, n: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.random.default_rng(seed).normal(size=(n, BOX, BOX)).astype(np.float32))
        mrc.voxel_size = 3.0


def loop(block: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    names = "".join(f"_{name} #{i}\n" for i, name in enumerate(columns, 1))
    return (
        f"\ndata_{block}\n\nloop_\n{names}" + "".join(" ".join(map(str, row)) + "\n" for row in rows) + "\n"
    )


def write_relion_job(folder: Path, written: str, n: int, seed: int, root: str = "run_it025") -> None:
    """`written` is the folder as RELION names it from the project. Class 1 has no particles."""
    stack(folder / f"{root}_classes.mrcs", n, seed)
    general = "\ndata_model_general\n\n_rlnReferenceDimensionality 2\n_rlnPixelSize 3.0\n_rlnNrClasses 5\n"
    rows = [
        (f"{i:06d}@{written}{root}_classes.mrcs", 1 / n, 2.0, 3.0, "inf" if i == 1 else 10.0 + i)
        for i in range(1, n + 1)
    ]
    columns = ("rlnReferenceImage", "rlnClassDistribution", "rlnAccuracyRotations")
    columns += ("rlnAccuracyTranslationsAngst", "rlnEstimatedResolution")
    (folder / f"{root}_model.star").write_text(general + loop("model_classes", columns, rows))
    optics = loop("optics", ("rlnOpticsGroup", "rlnImagePixelSize"), [(1, 3.0)])
    particles = [(f"{i:06d}@stack.mrcs", 2 + i % (n - 1), 1) for i in range(20 * n)]
    names = ("rlnImageName", "rlnClassNumber", "rlnOpticsGroup")
    (folder / f"{root}_data.star").write_text(optics + loop("particles", names, particles))
    (folder / f"{root}_optimiser.star").write_text(
        f"\ndata_optimiser_general\n\n_rlnModelStarFile {written}{root}_model.star\n"
        f"_rlnExperimentalDataStarFile {written}{root}_data.star\n_rlnParticleDiameter 70\n"
    )


class RelionProject:
    """A RELION 4 project under construction."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "default_pipeline.star").write_text("\ndata_pipeline_general\n\n_rlnPipeLineJobCounter 9\n")

    def class2d(self, number: int, n: int = 5, seed: int = 0) -> str:
        written = f"Class2D/job{number:03d}/"
        write_relion_job(self.folder / written, written, n, seed)
        return f"{written}run_it025_optimiser.star"

    def select(
        self,
        number: int,
        model: str,
        colours: Sequence[int] = (),
        averages: Sequence[str] = (),
        *,
        label: str = "relion.select.interactive",
        options: JobOptions | None = None,
    ) -> Path:
        folder = self.folder / f"Select/job{number:03d}"
        folder.mkdir(parents=True)
        given = {"fn_model": model or '""', "fn_data": '""', "do_class_ranker": "No", **(options or {})}
        job = f"\ndata_job\n\n_rlnJobTypeLabel {label}\n_rlnJobIsContinue 0\n"
        rows = list(given.items())
        values = loop("joboptions_values", ("rlnJobOptionVariable", "rlnJobOptionValue"), rows)
        (folder / "job.star").write_text(job + values)
        if colours:
            text = loop("", ("rlnSelected",), [(c,) for c in colours])
            (folder / "backup_selection.star").write_text(text)
        if averages:
            text = loop("", ("rlnReferenceImage", "rlnEstimatedResolution"), [(a, 10) for a in averages])
            (folder / "class_averages.star").write_text(text)
        return folder


@pytest.fixture
def relion_project(tmp_path: Path) -> Callable[[str], RelionProject]:
    return lambda name: RelionProject(tmp_path / "data" / name)


class CryosparcProject:
    """A CryoSPARC project under construction, of version 4 or 5."""

    def __init__(self, folder: Path, version: int) -> None:
        self.folder, self.version = folder, version
        folder.mkdir(parents=True)

    def class2d(self, number: int, n: int = 5, seed: int = 0) -> None:
        uid = f"J{number}"
        folder = self.folder / uid
        stack(folder / f"{uid}_020_class_averages.mrc", n, seed)
        self._templates(folder / f"{uid}_020_class_averages.cs", uid, range(n))
        particles = np.zeros(20 * n, [("uid", "<u8"), ("alignments2D/class", "<u4")])
        particles["alignments2D/class"] = 1 + np.arange(20 * n) % (n - 1)  # none in class 0
        write_cs(folder / f"{uid}_020_particles.cs", particles)
        self.document(uid, "class_2D_new", [])

    def select(
        self, number: int, parent: int, kept: Sequence[int], rejected: Sequence[int], **fields: object
    ) -> Path:
        uid = f"J{number}"
        folder = self.folder / uid
        folder.mkdir()
        self._templates(folder / "templates_selected.cs", f"J{parent}", kept)
        self._templates(folder / "templates_excluded.cs", f"J{parent}", rejected)
        self.document(uid, str(fields.pop("type", "select_2D")), [f"J{parent}"], **fields)
        return folder

    def document(self, uid: str, kind: str, parents: list[str], **fields: object) -> None:
        connections = [{"job_uid": p} for p in parents]
        if self.version == 4:
            groups = [{"name": "templates", "connections": connections}]
            document = {"uid": uid, "job_type": kind, "type": kind, "input_slot_groups": groups}
        else:
            inputs = {"templates": {"connections": connections}}
            document = {"uid": uid, "spec": {"type": kind, "inputs": inputs}}
        (self.folder / uid / "job.json").write_text(json.dumps({"status": "completed", **document, **fields}))

    def _templates(self, path: Path, uid: str, indices: Sequence[int]) -> None:
        fields = [("uid", "<u8"), ("blob/path", "S64"), ("blob/idx", "<u4"), ("blob/psize_A", "<f4")]
        rows = np.zeros(len(indices), [*fields, ("blob/res_A", "<f4")])
        rows["blob/path"] = f"{uid}/{uid}_020_class_averages.mrc".encode()
        rows["blob/idx"] = indices
        rows["blob/psize_A"] = 3.0
        rows["blob/res_A"] = 12.0
        write_cs(path, rows)


def write_cs(path: Path, rows: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, rows)


@pytest.fixture
def cryosparc_project(tmp_path: Path) -> Callable[[str, int], CryosparcProject]:
    return lambda name, version: CryosparcProject(tmp_path / "data" / name, version)


@pytest.fixture
def empiar_job(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, colours: Sequence[int], score: str, seed: int = 0) -> Path:
        folder = tmp_path / "data" / "10812" / name
        write_relion_job(folder, "somewhere/else/", len(colours), seed, root="run")
        (folder / "backup_selection.star").write_text(loop("", ("rlnSelected",), [(c,) for c in colours]))
        (folder / "job_score.txt").write_text(score)
        return folder

    return write
