"""Files as people have them: what was found in public bug reports of this trade, each on a small input."""

import io
import json
import re
import shutil
import struct
import subprocess
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
from PIL import Image

from cryofed.cli.main import main
from cryofed.errors import InputError
from cryofed.jobs.cryosparc import read_cs
from cryofed.jobs.mrc import read_mrc
from cryofed.jobs.opening import open_job
from cryofed.jobs.rows import read_particles
from cryofed.jobs.star import need_block

Maker = Callable[..., Path]
COUNTS = [40, 0, 25, 60, 5, 12]
ITERATION = ("optimiser.star", "model.star", "data.star", "classes.mrcs")


def edit(path: Path, change: Callable[[str], str]) -> Path:
    text = path.read_text()
    assert change(text) != text
    path.write_bytes(change(text).encode())
    return path


def select(job: Path, out: Path, *more: str) -> int:
    """Keep every class that is scored: here it is about files, not about scores."""
    return main(["select", str(job), "--force", "--threshold", "0", "--out", str(out), *more])


def read_by_relion(path: Path) -> int:
    """How many particles `relion_star_handler` writes of all that it reads."""
    if shutil.which("relion_star_handler") is None:
        pytest.skip("RELION is not installed")
    out = path.with_name("by_relion.star")
    done = subprocess.run(
        ["relion_star_handler", "--i", path, "--o", out, "--select", "rlnClassNumber", "--minval", "-1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert out.is_file(), done.stdout + done.stderr
    return len(read_particles(out))


# RELION


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: re.sub(r"^(?=[_dl#])", " ", t, flags=re.MULTILINE),
        lambda t: re.sub(r"(_rlnNormCorrection #5 \n)", r"\1\n# here\n", t),
        lambda t: t.replace("@p.mrcs", "@data_p.mrcs"),
        lambda t: t.replace("@p.mrcs", "@größe.mrcs"),
        lambda t: re.sub(r"(\d+@p.mrcs)", r'"\1 of a disk"', t),
    ],
    ids=["crlf", "indented", "blank-and-comment", "data_", "non-ascii", "quoted"],
)
def test_relion_reads_what_was_written(
    relion_job: Path, tmp_path: Path, change: Callable[[str], str]
) -> None:
    for name in ITERATION[:3]:
        file = relion_job / f"run_it025_{name}"
        if name == "data.star" or change(file.read_text()) != file.read_text():
            edit(file, change)
    job = open_job(relion_job)
    assert job.classes.particles.tolist() == COUNTS
    assert select(relion_job, tmp_path / "out") == 0
    kept = read_particles(tmp_path / "out/particles.star")
    selected = need_block(tmp_path / "out/backup_selection.star", "")["rlnSelected"]
    assert len(kept) == sum(n for n, yes in zip(COUNTS, selected, strict=True) if yes == "1") > 0
    assert read_by_relion(tmp_path / "out/particles.star") == len(kept)
    assert read_by_relion(tmp_path / "out/rank_data.star") == sum(COUNTS)
    general = need_block(tmp_path / "out/rank_optimiser.star", "optimiser_general")
    assert general["rlnModelStarFile"][0].endswith("rank_model.star")
    assert (tmp_path / "out/rank_optimiser.star").read_text().count("\n_rln") == len(general)


def test_that_lines_were_mended_is_said(
    relion_job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(relion_job / "run_it025_data.star", lambda t: t.replace("\n", "\r\n"))
    assert select(relion_job, tmp_path / "out") == 0
    assert "note: run_it025_data.star: what is written has LF line ends" in capsys.readouterr().err


def test_names_with_spaces_are_quoted_and_come_back_quoted(relion_job: Path, tmp_path: Path) -> None:
    edit(relion_job / "run_it025_model.star", lambda t: re.sub(r"(\d+@)(\S+)", r'"\1my disk/\2"', t))
    assert select(relion_job, tmp_path / "my out") == 0
    names = need_block(tmp_path / "my out/rank_model.star", "model_classes")["rlnReferenceImage"]
    assert names[0] == "000001@my disk/Class2D/job012/run_it025_classes.mrcs"
    model = need_block(tmp_path / "my out/rank_optimiser.star", "optimiser_general")["rlnModelStarFile"]
    assert model == [str(tmp_path / "my out/rank_model.star")]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t[: t.rfind("000100@")] + "\n" + t[t.rfind("000100@") :], "a row behind the blank line"),
        (lambda t: t.replace("0.900000", "", 1), "line 28: 4 values for 5 columns"),
        (lambda t: t.replace("_rlnNormCorrection", "_rlnClassNumber"), "_rlnClassNumber a second time"),
    ],
    ids=["blank-among-rows", "a-value-lost", "label-twice"],
)
def test_damage_is_named_by_its_line_and_nothing_is_written(
    relion_job: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[str], str],
    told: str,
) -> None:
    edit(relion_job / "run_it025_data.star", change)
    assert select(relion_job, tmp_path / "out") == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def copy_iteration(job: Path, new: str, names: tuple[str, ...] = ITERATION) -> None:
    for name in names:
        shutil.copy(job / f"run_it025_{name}", job / f"{new}_{name}")
        if name in ITERATION[:2]:
            edit(job / f"{new}_{name}", lambda t: t.replace("run_it025", new))


def test_a_continued_run_goes_before_what_it_continues(relion_job: Path) -> None:
    copy_iteration(relion_job, "run_ct20_it025")
    job = open_job(relion_job)
    assert (job.read, job.notes) == ("run_ct20_it025", ("read run_ct20_it025, the continued run",))
    copy_iteration(relion_job, "run_ct10_it020")  # of fewer iterations than the run that it goes on from
    (relion_job / "run_ct20_it025_model.star").unlink()
    assert open_job(relion_job).read == "run_ct10_it020"


def test_the_last_whole_iteration_is_read_and_that_is_said(relion_job: Path) -> None:
    copy_iteration(relion_job, "run_ct25_it050", ("model.star", "classes.mrcs"))
    job = open_job(relion_job)
    note = "read run_it025: run_ct25_it050 is not whole, optimiser.star and data.star are missing"
    assert (job.read, job.notes) == ("run_it025", (note,))


@pytest.mark.parametrize("name", ITERATION)
def test_an_iteration_with_an_empty_file_is_not_whole(relion_job: Path, name: str) -> None:
    copy_iteration(relion_job, "run_it026")
    (relion_job / f"run_it026_{name}").write_bytes(b"")
    note = f"read run_it025: run_it026 is not whole, {name} is missing or empty"
    assert open_job(relion_job).notes == (note,)


def test_particles_that_may_have_been_cut_are_told(relion_job: Path) -> None:
    edit(relion_job / "run_it025_data.star", lambda t: t[: t.index("000100@")])
    job = open_job(relion_job)
    assert job.total_particles == 99
    assert job.notes[0].startswith("run_it025_data.star: it ends without the blank line that RELION writes")


def test_what_is_compressed_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "averages.mrcs.gz").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(InputError, match="compressed; unpack it first"):
        open_job(tmp_path / "averages.mrcs.gz")


def test_an_error_is_one_line_whatever_a_file_holds(tmp_path: Path) -> None:
    (tmp_path / "a.lst").write_bytes(b"#LSX\n# x\n# 9\n0\tno\x1b[31m\x0bsuch\x85.hdf\n")
    with pytest.raises(InputError) as told:
        open_job(tmp_path / "a.lst")
    assert str(told.value).isprintable()
    assert r"no\x1b[31m\x0bsuch" in str(told.value)


def test_iteration_0_has_no_classes_yet(relion_job: Path) -> None:
    zero = lambda t: re.sub(r"(p.mrcs +1 +\S+ +)\d+", r"\g<1>0", t)  # noqa: E731  (three places, one use)
    edit(relion_job / "run_it025_data.star", zero)
    for file in list(relion_job.iterdir()):
        file.rename(file.with_name(file.name.replace("it025", "it000")))
    with pytest.raises(InputError, match="iteration 0: the classification has not begun"):
        open_job(relion_job / "run_it000_model.star")


def test_files_that_are_no_job_of_their_own_are_passed_by(relion_job: Path) -> None:
    for name in ("model.star", "data.star", "classes.mrcs"):  # another program's, without an optimiser
        shutil.copy(relion_job / f"run_it025_{name}", relion_job / f"run_it025_magellon_{name}")
    for file in list(relion_job.iterdir()):
        file.with_name(f"._{file.name}").write_bytes(b"\0\5\26\7\0")  # what macOS leaves on foreign disks
    assert open_job(relion_job).read == "run_it025"


@pytest.mark.parametrize("name", ["run_it025_sampling.star", "particles.star", "note.txt"])
def test_a_file_that_tells_no_classes_names_the_one_to_give(relion_job: Path, name: str) -> None:
    (relion_job / name).write_text("data_\n\nloop_\n_a\n1\n")
    with pytest.raises(InputError, match=r"give run_it025_optimiser.star beside it, or the folder"):
        open_job(relion_job / name)


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e30, 0])
def test_an_average_without_a_picture_is_not_scored(relion_job: Path, tmp_path: Path, value: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mrcfile.open(relion_job / "run_it025_classes.mrcs", "r+") as stack:
            stack.data[2] = value
    job = open_job(relion_job)
    assert len(job.notes) == 1
    assert job.notes[0].startswith("class 3: ")
    assert np.isfinite(job.averages).all()
    assert select(relion_job, tmp_path / "out") == 0
    scores = need_block(tmp_path / "out/rank_model.star", "model_classes")["rlnClassScore"]
    assert [s == "-999.00000" for s in scores] == [False, True, True, False, True, False]


def test_jobs_of_scipion_lie_in_extra(
    tmp_path: Path, make_relion: Maker, make_cryosparc: Maker, make_blobs: Callable[..., np.ndarray]
) -> None:
    run = tmp_path / "Runs/000123_ProtRelionClassify2D"
    make_relion(run / "extra", make_blobs(6), COUNTS)
    assert open_job(run).classes.particles.tolist() == COUNTS
    run = tmp_path / "Runs/000200_ProtCryo2D"
    folder = make_cryosparc(run / "extra/J12", make_blobs(6), COUNTS)
    for file in list(folder.glob("J12_0*")):
        file.rename(folder / f"cryosparc_P3_{file.name}")
    assert open_job(run).classes.particles.tolist() == COUNTS


# MRC


def header(path: Path, *changes: tuple[int, bytes]) -> Path:
    raw = bytearray(path.read_bytes())
    for at, new in changes:
        raw[at : at + len(new)] = new
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    "changes",
    [[(212, b"\x44\x20\x20\x20")], [(208, b"\0\0\0\0")], [(208, b"\0" * 8)], [(212, b"\x11\x11\0\0")]],
    ids=["imod", "no-map", "neither", "wrong-stamp"],
)
def test_an_mrc_is_read_whatever_its_stamp(stack: Path, changes: list[tuple[int, bytes]]) -> None:
    pixels = read_mrc(stack)[0].copy()
    assert np.array_equal(read_mrc(header(stack, *changes))[0], pixels)


def test_an_mrc_in_the_other_byte_order(stack: Path) -> None:
    pixels = read_mrc(stack)[0].copy()
    np.fromfile(stack, "<u4").byteswap().tofile(stack)
    assert np.array_equal(read_mrc(stack)[0], pixels)


@pytest.mark.parametrize(
    ("changes", "signed"),
    [
        ([(76, struct.pack("<2f", 0, 255))], False),
        ([(76, struct.pack("<2f", -100, 90))], True),
        ([(76, struct.pack("<2f", 0, 255)), (152, struct.pack("<2i", 1146047817, 1))], True),
        ([(76, struct.pack("<2f", -5, 5)), (152, struct.pack("<2i", 1146047817, 0))], False),
        ([(76, struct.pack("<2f", 0, -1))], False),  # nothing is told, and signed the discs would be torn
    ],
    ids=["maximum", "minimum", "imod-signed", "imod-unsigned", "smoother"],
)
def test_bytes_are_signed_as_the_file_says(
    tmp_path: Path, changes: list[tuple[int, bytes]], signed: bool
) -> None:
    y, x = np.indices((48, 48)) - 24
    disc = np.clip(250 - 8 * np.hypot(y, x), 20, 255).astype(np.uint8)
    with mrcfile.new(tmp_path / "a.mrcs") as mrc:
        mrc.set_data(np.stack([disc, disc]).view(np.int8))
    images, _ = read_mrc(header(tmp_path / "a.mrcs", *changes))
    assert np.array_equal(images[0], disc.view(np.int8) if signed else disc)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([(8, struct.pack("<i", 10**9))], "its header tells 1,000,000,000 images"),
        ([(0, struct.pack("<i", -3))], "no MRC header"),
        ([(12, struct.pack("<i", 4))], "a transform"),
        ([(12, struct.pack("<i", 101))], "MRC mode: 101"),
        ([(92, struct.pack("<i", 2**31 - 1))], "bytes, but its header tells"),
        ([(88, struct.pack("<i", 401))], "a stack of volumes"),
    ],
    ids=["billion", "negative", "transform", "nibbles", "extended", "volumes"],
)
def test_a_header_that_cannot_be_is_refused(stack: Path, changes: list[tuple[int, bytes]], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_mrc(header(stack, *changes))


# Other stacks


def test_tiff_pages_written_one_by_one_are_all_read(tmp_path: Path, make_blobs: Maker) -> None:
    for image in make_blobs(5):
        tifffile.imwrite(tmp_path / "a.tif", image, append=True)
    assert len(open_job(tmp_path / "a.tif").averages) == 5


def hdf(path: Path, numbers: list[int], images: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for n, image in zip(numbers, images, strict=True):
            file.create_dataset(f"MDF/images/{n}/image", data=image)
            file[f"MDF/images/{n}"].attrs["EMAN.ptcl_repr"] = 10 + n
    return path


def test_classes_of_eman2_keep_their_numbers(tmp_path: Path, make_blobs: Callable[..., np.ndarray]) -> None:
    job = open_job(hdf(tmp_path / "a.hdf", [0, 1, 4, 10], make_blobs(4)))
    assert job.classes.number.tolist() == [1, 2, 5, 11]
    assert job.classes.particles.tolist() == [10, 11, 14, 20]


def test_headers_of_eman2_that_say_nothing_are_passed_over(
    tmp_path: Path, make_blobs: Callable[..., np.ndarray]
) -> None:
    path = hdf(tmp_path / "a.hdf", [0, 1, 2], make_blobs(3))
    with h5py.File(path, "r+") as file:
        file["MDF/images/1"].attrs["EMAN.ptcl_repr"] = "many"
        file["MDF/images/0"].attrs["EMAN.apix_x"] = "x"
        file.create_group("MDF/images/3")  # its image was taken out
    job = open_job(path)
    assert (job.classes.number.tolist(), job.total_particles) == ([1, 2, 3], None)


def bomb_hdf(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for n in range(2):
            file.create_dataset(f"MDF/images/{n}/image", (60_000, 60_000), "f4", chunks=(256, 256))


def link_hdf(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["MDF/images/0/image"] = h5py.ExternalLink("/etc/passwd", "/x")


def storage_hdf(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("MDF/images/0/image", (4, 4), "u1", external=[("/etc/passwd", 0, 16)])


def bomb_png(path: Path) -> None:
    raw = io.BytesIO()
    Image.new("L", (16, 16)).save(raw, "PNG")
    head = b"IHDR" + struct.pack(">2I", 12_500, 12_500) + raw.getvalue()[24:29]
    path.write_bytes(raw.getvalue()[:12] + head + struct.pack(">I", zlib.crc32(head)) + raw.getvalue()[33:])


def bomb_tiff(path: Path) -> None:
    tifffile.imwrite(path, shape=(40, 8000, 8000), dtype="u1", compression=None, bigtiff=False)
    with path.open("r+b") as file:
        file.truncate(10_000_000)


@pytest.mark.parametrize(
    ("ending", "make", "told"),
    [
        ("hdf", bomb_hdf, "which need 26.8 GiB"),
        ("hdf", link_hdf, "a link to another place"),
        ("hdf", storage_hdf, "kept in another file"),
        ("png", bomb_png, "which need 0.6 GiB"),
        ("tif", bomb_tiff, "which need 9.5 GiB"),
    ],
)
def test_bombs_and_links_are_refused_before_anything_is_decoded(
    tmp_path: Path, ending: str, make: Callable[[Path], None], told: str
) -> None:
    make(tmp_path / f"a.{ending}")
    with pytest.raises(InputError, match=told):
        open_job(tmp_path / f"a.{ending}")


# CryoSPARC


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><html>not found</html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        b"\x93NUMPY\1\0\xff\xff" + b"(" * 70_000,
        b"\x93NUMPY\2\0\xff\xff\xff\x7f{}",
        b"\x93NUMPY\1\0\x40\0{'descr': '|O', 'fortran_order': False, 'shape': (3,)}"
        + b" " * 9
        + b"\n"
        + b"\x80\4" * 50,
    ],
    ids=["web-page", "lfs-pointer", "parentheses", "long-header", "pickle"],
)
def test_what_is_no_dataset_is_called_so(cryosparc_job: Path, content: bytes) -> None:
    (cryosparc_job / "J12_020_particles.cs").write_bytes(content)
    with pytest.raises(InputError, match="not a CryoSPARC dataset") as told:
        open_job(cryosparc_job)
    assert "pickle" not in str(told.value)


@pytest.mark.parametrize("fields", [300, 2000], ids=["over-10-kB", "over-64-kB"])
def test_a_dataset_of_many_fields_is_read_and_written(
    cryosparc_job: Path, tmp_path: Path, fields: int
) -> None:
    path = cryosparc_job / "J12_020_particles.cs"
    rows = np.load(path)
    many = np.dtype([*rows.dtype.descr, *((f"alignments3D_{i}/some_value", "<f4") for i in range(fields))])
    wide = np.zeros(len(rows), many)
    for name in rows.dtype.names:
        wide[name] = rows[name]
    with path.open("wb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy tells that it writes version 2.0 of the format
        np.save(file, wide)
    assert select(cryosparc_job, tmp_path / "out") == 0
    kept = read_cs(tmp_path / "out/particles_selected.cs")
    assert kept.dtype == many
    assert 0 < len(kept) < len(rows)


# Harvest and watch


def test_harvest_lists_what_it_passed_by(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tmp_path / "project"
    (project / "Select/job001").mkdir(parents=True)
    (project / "default_pipeline.star").write_text("data_pipeline_general\n")
    (project / "Select/job001/job.star").write_bytes(b"\xff\xfe\0")
    (project / "Select/job002").symlink_to(tmp_path / "gone")
    assert main(["harvest", str(project), "--library", str(tmp_path / "l.db"), "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["selections"]
    assert {Path(one["source"]).name: one["what"] for one in found} == {
        "job001": "skipped",
        "job002": "skipped",
    }
    assert all(one["reason"] for one in found)
