"""Programs beside RELION and CryoSPARC, as far as their files are public; and a program of one file."""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest

from cryofed.cli.main import main
from cryofed.errors import InputError
from cryofed.jobs import opening, programs
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.jobs.opening import open_job
from cryofed.jobs.programs import Program, Start
from cryofed.jobs.rows import read_particles

Images = Callable[..., np.ndarray]
Maker = Callable[..., Path]


@pytest.fixture
def cistem(tmp_path: Path, make_mrc: Maker, make_blobs: Images) -> Path:
    """A project with two classifications of three classes; cisTEM counts both from 1."""
    place = tmp_path / "project/Assets/ClassAverages"
    place.mkdir(parents=True)
    with sqlite3.connect(tmp_path / "project/project.db") as sql:
        sql.execute("CREATE TABLE CLASSIFICATION_LIST (CLASSIFICATION_ID, NUMBER_OF_CLASSES, MASK_RADIUS)")
        for key in (1, 2):
            make_mrc(place / f"class_averages_{key:04d}.mrc", make_blobs(3))
            sql.execute("INSERT INTO CLASSIFICATION_LIST VALUES (?, 3, 40.0)", (key,))
            sql.execute(f"CREATE TABLE CLASSIFICATION_RESULT_{key} (POSITION_IN_STACK, BEST_CLASS)")
            best = [1] * 10 * key + [3] * 20
            sql.executemany(f"INSERT INTO CLASSIFICATION_RESULT_{key} VALUES (?, ?)", enumerate(best, 1))
    sql.close()
    return tmp_path / "project"


def test_the_newest_classification_of_cistem_is_read(cistem: Path) -> None:
    job = open_job(cistem)
    assert (job.program, job.read) == ("cistem", "class_averages_0002")
    assert job.notes == ("read class_averages_0002, the newest of 2 classifications",)
    assert (job.classes.particles.tolist(), job.mask_diameter_angstrom) == ([20, 0, 20], 80)
    assert open_job(cistem / "project.db").read == "class_averages_0002"
    first = open_job(cistem / "Assets/ClassAverages/class_averages_0001.mrc")
    assert first.classes.particles.tolist() == [10, 0, 20]


def test_a_database_that_computes_for_ever_is_stopped(cistem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryofed.jobs.cistem.MOST_STEPS", 3)
    with sqlite3.connect(cistem / "project.db") as sql:
        sql.execute("DROP TABLE CLASSIFICATION_RESULT_2")
        sql.execute(
            "CREATE VIEW CLASSIFICATION_RESULT_2 AS WITH RECURSIVE c(POSITION_IN_STACK, BEST_CLASS) AS"
            " (SELECT 1, 1 UNION ALL SELECT POSITION_IN_STACK + 1, 1 FROM c) SELECT * FROM c"
        )
    sql.close()
    with pytest.raises(InputError, match=r"project.db: cisTEM database: interrupted"):
        open_job(cistem)


@pytest.fixture
def simple(tmp_path: Path, make_mrc: Maker, make_blobs: Images) -> Path:
    folder = tmp_path / "2_cluster2D"
    folder.mkdir()
    for name in ("cavgs_iter009", "cavgs_iter030", "cavgs_iter030_even", "cavgs_iter030_ranked"):
        make_mrc(folder / f"{name}.mrc", make_blobs(3))
    rows = "".join(f"{i}@/far/away/cavgs_iter030.mrc {8.5 + i} {10 * i}\n" for i in (1, 2, 3))
    labels = ("rlnReferenceImage", "rlnEstimatedResolution", "rlnClassDistribution")
    head = "data_clusters\n\nloop_\n" + "".join(f"_{name}\n" for name in labels)
    (folder / "clusters2D.star").write_text(head + rows + "\n")
    return folder


def test_the_last_iteration_of_simple_is_read_with_its_star_files(simple: Path, tmp_path: Path) -> None:
    job = open_job(simple)
    assert (job.program, job.read) == ("simple", "cavgs_iter030")
    assert job.classes.particles.tolist() == [10, 20, 30]
    assert job.classes.resolution_angstrom.tolist() == [9.5, 10.5, 11.5]
    assert open_job(simple / "clusters2D.star").read == "cavgs_iter030"
    assert open_job(simple / "cavgs_iter009.mrc").total_particles is None  # the table is of iteration 30
    rows = "".join(f"{i}@p.mrcs {1 + i % 3}\n" for i in range(60))
    head = "data_particles\n\nloop_\n_rlnImageName\n_rlnClassNumber\n"
    (simple / "particles2D.star").write_text(head + rows + "\n")
    assert open_job(simple).classes.particles.tolist() == [20, 20, 20]
    assert main(["select", str(simple), "--threshold", "0", "--out", str(tmp_path / "out")]) == 0
    assert len(read_particles(tmp_path / "out/particles.star")) == 60
    assert (tmp_path / "out/kept.mrcs").is_file()


def test_a_project_of_simple_says_how_to_convert_it(simple: Path) -> None:
    (simple / "project.simple").write_bytes(b"\0" * 64)
    with pytest.raises(InputError, match="prg=export_starproject"):
        open_job(simple / "project.simple")


def test_the_last_classes_of_eman2_and_lists_of_them_are_read(tmp_path: Path, make_blobs: Images) -> None:
    folder = tmp_path / "r2d_01"
    folder.mkdir()
    images = make_blobs(4)
    for name in ("classes_00.hdf", "classes_08.hdf", "classes_init.hdf", "allrefs_08.hdf"):
        with h5py.File(folder / name, "w") as file:
            for n, image in enumerate(images):
                file[f"MDF/images/{n}/image"] = image
    job = open_job(folder)
    assert (job.program, job.read, job.name) == ("eman2", "classes_08", "r2d_01")
    comment = "# any comment\n# 28\n"
    (tmp_path / "sets").mkdir()
    listed = tmp_path / "sets/good.lst"
    listed.write_text(f"#LSX\n{comment}3\tr2d_01/classes_08.hdf\t   \n1\tr2d_01/classes_08.hdf\t   \n")
    assert np.array_equal(open_job(listed).averages, images[[3, 1]])
    listed.write_bytes(b"#LST\r\n2\tr2d_01/classes_08.hdf\r\n0\tr2d_01/classes_08.hdf\r\n")
    assert np.array_equal(open_job(listed).averages, images[[2, 0]])
    listed.write_text(f"#LSX\n{comment}9\tr2d_01/classes_08.hdf\n")
    with pytest.raises(InputError, match=r"r2d_01/classes_08.hdf has no image 9"):
        open_job(listed)


def test_a_program_is_one_file_and_one_entry(
    tmp_path: Path, make_blobs: Images, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toy = ModuleType("toy_reader")  # what would be the new file in jobs/

    def opened(path: Path) -> ClassJob:
        averages = np.load(path)
        return ClassJob(
            program="toy", path=path, name=path.stem, averages=averages,
            classes=ClassTable.unknown(len(averages)), read=path.name, files={"averages": path},
        )  # fmt: skip

    toy.starts = lambda path: path if path.suffix == ".toy" else None  # type: ignore[attr-defined]  # a module
    toy.find = lambda folder: [Start(f) for f in folder.glob("*.toy")]  # type: ignore[attr-defined]
    toy.open_job = opened  # type: ignore[attr-defined]
    toy.own_folder = lambda _: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_reader", toy)
    entry = Program(name="toy", words="Toy program", reads="toy_reader")
    for place in (programs, opening):
        monkeypatch.setattr(place, "TABLE", [entry, *programs.TABLE])
    with (tmp_path / "a.toy").open("wb") as file:
        np.save(file, make_blobs(4))
    assert open_job(tmp_path).program == "toy"
    assert main(["select", str(tmp_path / "a.toy"), "--threshold", "0", "--out", str(tmp_path / "out")]) == 0
    assert "read a.toy of a" in capsys.readouterr().err
    assert "Toy program" in (tmp_path / "out/report.html").read_text()
    assert {f.name for f in (tmp_path / "out").iterdir()} == {"classes.csv", "kept.mrcs", "report.html"}
