"""`cryofed select` as a user types it: what it prints, writes and refuses."""

import csv
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryofed.cli.main import main
from cryofed.scoring.reasons import REASONS
from cryofed.scoring.scorer import SHIPPED, Scores

Maker = Callable[..., Path]
Blobs = Callable[..., np.ndarray]


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Runs a command that must fail with one clear line and leave every file as it was."""

    def run(*arguments: object) -> str:
        before = everything(tmp_path)
        status = main(["select", *map(str, arguments)])
        told = capsys.readouterr()
        assert status == 1
        assert told.out == ""
        assert told.err.startswith("error: ")
        assert told.err.count("\n") == 1
        assert told.err.count(": ") >= 3  # file: field: found; remedy
        assert "; " in told.err
        assert everything(tmp_path) == before
        return told.err

    return run


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# What it tells


def test_json_is_the_schema_and_nothing_else(relion_job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["select", str(relion_job), "--json", "--force"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert list(told) == [
        *("job", "read", "model", "policy", "cut", "kept", "total", "views", "note", "doubt", "refused"),
        "folder",
        "classes",
    ]
    assert told["model"]["sha256"] == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert told["total"] == {"classes": 6, "particles": 142}
    assert told["folder"] == f"{relion_job}_selected"
    assert told["note"].startswith("nothing here looks like a particle")
    assert told["job"] == str(relion_job)
    assert [row["class_number"] for row in told["classes"]] == [1, 2, 3, 4, 5, 6]
    names = ["class_number", "particles", "resolution_angstrom", "score", "kept", "reason", "unsure", "view"]
    assert all(list(row) == names for row in told["classes"])
    empty, few = told["classes"][1], told["classes"][4]
    assert empty == dict(zip(names, [2, 0, None, None, False, "too few particles", False, None], strict=True))
    assert (few["particles"], few["score"], few["kept"]) == (5, None, False)
    kept = [row for row in told["classes"] if row["kept"]]
    assert told["kept"] == {"classes": len(kept), "particles": sum(row["particles"] for row in kept)}


def test_fewer_particles_are_enough_where_the_user_says_so(
    relion_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scored = {}
    for fewest in (
        None,
        5,
        6,
        0,
        20,
    ):  # the classes have 40, 0 (blank), 25, 60, 5, 12 particles
        typed = [] if fewest is None else ["--min-particles", str(fewest)]
        assert main(["select", str(relion_job), "--json", "--force", *typed]) == 0
        rows = json.loads(capsys.readouterr().out)["classes"]
        scored[fewest] = [row["class_number"] for row in rows if row["score"] is not None]
        shutil.rmtree(relion_job.with_name(f"{relion_job.name}_selected"))
    assert scored[None] == scored[6] == [1, 3, 4, 6]
    assert scored[5] == scored[0] == [1, 3, 4, 5, 6]
    assert scored[20] == [1, 3, 4]


def test_the_table_has_a_line_for_every_class_and_a_summary(
    relion_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["select", str(relion_job), "--force", "--threshold", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["class", "particles", "resolution", "score", "kept", "reason"]
    assert len(lines) == 1 + 6 + 1
    # all four classes of ten or more particles: 40 + 25 + 60 + 12 of 142
    assert lines[-1].startswith("kept 4 of 6 classes (67 %), 137 of 142 particles (96 %); cut 0.00")


def test_the_default_folder_lies_beside_the_job(relion_job: Path, stack: Path) -> None:
    assert main(["select", str(relion_job), "--force"]) == 0
    assert main(["select", str(stack), "--force"]) == 0
    assert (relion_job.parent / "job012_selected/particles.star").exists()
    assert (stack.parent / "averages_selected/report.html").exists()


def test_an_existing_folder_without_a_selection_is_filled(relion_job: Path) -> None:
    out = relion_job.parents[1] / "External/job020"  # RELION makes it, and writes into it, before the command
    out.mkdir(parents=True)
    (out / "run.out").write_text("started\n")
    assert main(["select", str(relion_job), "--force", "--out", str(out)]) == 0
    assert (out / "run.out").read_text() == "started\n"
    assert (out / "particles.star").exists()
    assert [path.name for path in out.parent.iterdir()] == ["job020"]  # no temporary folder is left


def test_a_loss_above_the_limit_needs_force(relion_job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # 60 of 142 particles are in class 4; nothing reaches 1.0, so a lower cut is tried that loses some.
    arguments = ["select", str(relion_job), "--max-loss", "0.01", "--threshold", "0.0"]
    assert main(arguments) == 1  # 5 of 142 particles are in a class too small: 3.5 %
    told = capsys.readouterr()
    assert "would throw away 4 % of the particles, more than 1 %" in told.err
    assert not (relion_job.parent / "job012_selected").exists()
    (page,) = (relion_job.parent / "job012_refused").iterdir()  # what to look at is there, and nothing else
    assert "Not written: would throw away 4 %" in page.read_text()
    assert f"cryofed review {relion_job} --threshold 0" in page.read_text()
    assert main([*arguments, "--force"]) == 0
    assert "warning" in capsys.readouterr().err


def test_a_refusal_is_json_too(relion_job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["select", str(relion_job), "--max-loss", "0.01", "--threshold", "0", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] is None
    assert "would throw away 4 %" in told["refused"]


@pytest.mark.parametrize("typed", [[], ["--policy", "lenient"], ["--threshold", "0.3"]])
def test_review_begins_with_the_selection_of_select(
    relion_job: Path, typed: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastapi")
    from cryofed.web.review.gallery import Gallery, as_message

    shown: list[Gallery] = []
    monkeypatch.setattr("cryofed.web.review.routes.review_app", lambda gallery, _: shown.append(gallery))
    monkeypatch.setattr("cryofed.web.server.serve", lambda *_, **__: None)
    assert main(["review", str(relion_job), *typed]) == 0
    capsys.readouterr()
    assert main(["select", str(relion_job), "--json", "--force", *typed]) == 0
    told = json.loads(capsys.readouterr().out)
    page = as_message(shown[0], "key", {})
    # what the page works out from what it is sent: a score against the threshold
    by_page = [score is not None and score >= page["threshold"] for score in page["score"]]
    assert by_page == [row["kept"] for row in told["classes"]]
    assert page["threshold"] == told["cut"]


def test_nothing_like_a_particle_is_said_and_nothing_kept(
    relion_job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["select", str(relion_job), "--threshold", "1"]) == 0
    told = capsys.readouterr()
    assert "nothing here looks like a particle" in told.err
    assert "kept 0 of 6 classes (0 %), 0 of 142 particles (0 %)" in told.out


def test_a_job_of_nothing_but_junk_is_said_in_the_terminal_the_report_and_json(
    relion_job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(*_: object) -> Scores:  # what the model says of four scored classes
        score = np.array([0.3, np.nan, 0.1, 0.1, np.nan, 0.1])
        return Scores(score=score, reasons=np.full((6, len(REASONS)), np.nan), unsure=np.zeros(6, bool))

    monkeypatch.setattr("cryofed.scoring.scorer.score_job", scores)
    said = "nothing here looks like a particle (best score 0.30); nothing is kept"
    assert main(["select", str(relion_job)]) == 0
    told = capsys.readouterr()
    assert f"note: {said}; --threshold sets a cut of your own" in told.err
    assert "kept 0 of 6 classes" in told.out
    assert told.out.count("below the cut 0.40") == 4
    assert said in (relion_job.parent / "job012_selected/report.html").read_text()
    assert main(["select", str(relion_job), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["note"] == said
    overruled = ["select", str(relion_job), "--threshold", "0.2", "--force"]  # a person knows better
    assert main(overruled) == 0
    assert "kept 1 of 6 classes" in capsys.readouterr().out
    assert main([*overruled, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["note"] in ("", None)


def test_a_job_in_doubt_is_selected_and_said_in_the_terminal_and_json(
    relion_job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(*_: object) -> Scores:  # what the model says of a job whose classes all lie halfway
        score = np.full(6, 0.7)
        reasons = np.full((6, len(REASONS)), np.nan)
        return Scores(score=score, reasons=reasons, unsure=np.zeros(6, bool), doubt=0.42)

    monkeypatch.setattr("cryofed.scoring.scorer.score_job", scores)
    said = "the model is in doubt about the whole job: 70 % of its classes look good, give or take 42 %"
    assert main(["select", str(relion_job)]) == 0
    assert f"note: {said}" in capsys.readouterr().err
    assert main(["select", str(relion_job), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["doubt"].startswith(said)
    assert told["kept"]["classes"] == 4  # two have fewer than ten particles
    assert main(["select", str(relion_job), "--threshold", "0.9", "--max-loss", "0"]) == 0  # nothing is kept
    assert f"note: {said}" in capsys.readouterr().err
    refused = ["select", str(relion_job), "--threshold", "0.7", "--max-loss", "0"]
    assert main(refused) == 1  # two classes are lost
    assert f"note: {said}" in capsys.readouterr().err
    assert main(["select", str(relion_job), "--max-doubt", "0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["doubt"] == ""


def test_an_empty_job_is_said_and_nothing_kept(
    tmp_path: Path, make_relion: Maker, make_blobs: Blobs, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_relion(tmp_path / "Class2D/job001", np.zeros_like(make_blobs(3)), [0, 0, 0])
    assert main(["select", str(job)]) == 0
    assert "the job is empty" in capsys.readouterr().err


def test_the_whole_process_never_imports_torch(stack: Path) -> None:
    code = (
        "import sys; from cryofed.cli.main import main;"
        f"status = main(['select', {str(stack)!r}, '--json', '--force']); assert 'torch' not in sys.modules;"
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kept"]["particles"] is None


def test_real_relion_jobs_need_no_force_and_keep_most_true_particles(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = total = 0.0
    for name in ("job001", "job043", "job052"):
        job = shared / "data/relion_jobs" / name
        assert main(["select", str(job), "--out", str(tmp_path / name), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        with (job / "truth.tsv").open() as file:
            for row, truth in zip(told["classes"], csv.DictReader(file, delimiter="\t"), strict=True):
                true = float(truth["purity"]) * row["particles"]
                total, kept = total + true, kept + true * row["kept"]
        rows = (tmp_path / name / "particles.star").read_text().count("@particles.mrcs")
        assert rows == told["kept"]["particles"]
    assert kept / total > 0.8  # a floor for the way through all rooms; the model's own tests ask for more


# What it refuses: a damaged MRC


def test_a_missing_mrc(relion_job: Path, refused: Callable[..., str]) -> None:
    (relion_job / "run_it025_classes.mrcs").unlink()
    assert "run_it025_classes.mrcs: class averages: no such file" in refused(relion_job)


def test_a_missing_job(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "no such file" in refused(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("size", "told"), [(-100, "its header tells 6 images of 32 × 32"), (500, "header"), (0, "0 bytes")]
)
def test_a_truncated_or_empty_mrc(
    relion_job: Path, refused: Callable[..., str], size: int, told: str
) -> None:
    path = relion_job / "run_it025_classes.mrcs"
    path.write_bytes(path.read_bytes()[:size])
    assert told in refused(relion_job)


def test_an_mrc_that_is_none(stack: Path, refused: Callable[..., str]) -> None:
    stack.write_bytes(b"<!DOCTYPE html>" * 100)
    assert "no MRC header" in refused(stack)


def test_an_mrc_whose_pixels_are_in_the_wrong_byte_order(stack: Path, refused: Callable[..., str]) -> None:
    words = np.fromfile(stack, "<u4")
    words[256:] = words[256:].byteswap()  # behind the header of 1024 bytes
    words.tofile(stack)
    assert "pixels" in refused(stack)


# A STAR file that does not fit


@pytest.mark.parametrize(
    "case",  # the file, what is replaced in it, by what, and what must be told
    [
        ("model", "data_model_classes", "data_other", "data_model_classes: no such block"),
        ("model", "data_model_general", "data_other", "data_model_general: no such block"),
        ("model", "_rlnReferenceImage", "_rlnOther", "_rlnReferenceImage: no such column"),
        ("model", "_rlnEstimatedResolution", "_rlnOther", "_rlnEstimatedResolution: no such column"),
        ("data", "_rlnClassNumber", "_rlnOther", "_rlnClassNumber: no such column"),
        ("data", " 0.900000 \n", "\n", "4 values for 5 columns"),
        ("optimiser", "data_optimiser_general", "data_other", "data_optimiser_general: no such block"),
        ("optimiser", "_rlnModelStarFile", "_rlnOther", "_rlnModelStarFile: no such column"),
        ("model", "000006@", "000007@", "class numbers are not those of the stack (no class 6)"),
        ("model", "000006@", "x@", "class numbers are not those of the stack (no class 6)"),
    ],
)
def test_a_star_file_with_a_missing_block_or_column(
    relion_job: Path, refused: Callable[..., str], case: tuple[str, str, str, str]
) -> None:
    role, old, new, told = case
    change(relion_job / f"run_it025_{role}.star", old, new)
    assert told in refused(relion_job)


def test_more_classes_than_images(
    relion_job: Path, refused: Callable[..., str], make_mrc: Maker, make_blobs: Blobs
) -> None:
    make_mrc(relion_job / "run_it025_classes.mrcs", make_blobs(4))
    assert "6 classes, but the stack has 4 images" in refused(relion_job)


def test_class_numbers_that_the_stack_has_not(relion_job: Path, refused: Callable[..., str]) -> None:
    change(relion_job / "run_it025_data.star", "            6     0.900000", "            9     0.900000")
    assert "class 9 in 12 rows, but there are 6 classes" in refused(relion_job)


def test_a_binary_star_file(relion_job: Path, refused: Callable[..., str]) -> None:
    (relion_job / "run_it025_model.star").write_bytes(bytes(range(256)) * 8)
    assert "no such block" in refused(relion_job)


# A CryoSPARC dataset that is not known


def test_a_cs_of_unknown_fields(cryosparc_job: Path, refused: Callable[..., str]) -> None:
    with (cryosparc_job / "J12_020_particles.cs").open("wb") as file:
        np.save(file, np.zeros(9, [("uid", "<u8"), ("ctf/type", "S9")]))
    assert "alignments2D/class: no such field (found uid, ctf/type" in refused(cryosparc_job)


@pytest.mark.parametrize("content", [b"\x95CSDAT and more", b"no dataset at all", b""])
def test_a_cs_that_is_no_table(cryosparc_job: Path, refused: Callable[..., str], content: bytes) -> None:
    (cryosparc_job / "J12_020_class_averages.cs").write_bytes(content)
    refused(cryosparc_job)


def test_a_cs_with_a_pickle_inside_is_not_opened(cryosparc_job: Path, refused: Callable[..., str]) -> None:
    with (cryosparc_job / "J12_020_class_averages.cs").open("wb") as file:
        np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "not a CryoSPARC dataset" in refused(cryosparc_job)


# Pixels that tell nothing


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.nan, "pixels that are no numbers"),
        (np.inf, "pixels that are no numbers"),
        (None, "a constant average"),
    ],
)
def test_an_average_without_a_picture_leaves_only_its_class_unscored(
    stack: Path, capsys: pytest.CaptureFixture[str], value: float | None, told: str
) -> None:
    with mrcfile.open(stack, "r+") as opened:
        opened.data[2] = 7
        opened.data[2, 5, 5] = 7 if value is None else value
    assert main(["select", str(stack), "--json", "--force"]) == 0
    said = capsys.readouterr()
    assert f"note: class 3: {told}" in said.err
    classes = json.loads(said.out)["classes"]
    assert [c["score"] is None for c in classes] == [False, False, True, False, False, False]
    assert (classes[2]["kept"], classes[2]["reason"]) == (False, "not scored")


@pytest.mark.parametrize(("value", "told"), [(np.nan, "no numbers"), (7, "every class is constant")])
def test_averages_without_any_picture_are_refused(
    tmp_path: Path, refused: Callable[..., str], make_mrc: Maker, value: float, told: str
) -> None:
    images = np.full((4, 32, 32), value, np.float32)
    assert told in refused(make_mrc(tmp_path / "a.mrcs", images))


def test_one_class(tmp_path: Path, refused: Callable[..., str], make_mrc: Maker, make_blobs: Blobs) -> None:
    assert "1 class" in refused(make_mrc(tmp_path / "a.mrcs", make_blobs(1)))


def test_images_of_one_pixel(tmp_path: Path, refused: Callable[..., str], make_mrc: Maker) -> None:
    images = np.arange(5, dtype=np.float32).reshape(5, 1, 1)
    assert "1 × 1 pixels" in refused(make_mrc(tmp_path / "a.mrcs", images))


def test_a_volume_is_no_stack(tmp_path: Path, refused: Callable[..., str]) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as mrc:
        mrc.set_data(np.ones((2, 3, 16, 16), np.float32))
    assert "a stack of volumes" in refused(tmp_path / "a.mrc")


# Places


def test_a_folder_with_two_jobs(relion_job: Path, cryosparc_job: Path, refused: Callable[..., str]) -> None:
    for file in list(relion_job.iterdir()):
        (relion_job / file.name.replace("run_", "other_")).write_bytes(file.read_bytes())
    assert "2 classifications (other_it025_optimiser.star and run_it025_optimiser.star)" in refused(
        relion_job
    )
    for file in list(cryosparc_job.iterdir()):
        (cryosparc_job / file.name.replace("J12", "J13")).write_bytes(file.read_bytes())
    assert "2 classifications" in refused(cryosparc_job)


def test_a_folder_of_jobs_names_one(relion_job: Path, refused: Callable[..., str]) -> None:
    assert f"no classification of its own, but 1 inside; give one, as {relion_job}" in refused(
        relion_job.parent
    )


def test_an_empty_folder(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "no 2D classification" in refused(tmp_path)


def test_a_selection_is_no_classification(
    relion_job: Path, refused: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = relion_job.parents[1] / "Select/job013"
    assert main(["select", str(relion_job), "--force", "--out", str(out)]) == 0
    capsys.readouterr()
    assert "a selection; give the Class2D job that it was made from" in refused(out)


def test_an_out_that_cannot_be_written(tmp_path: Path, stack: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "file").write_text("")
    assert "--out: is a file" in refused(stack, "--out", tmp_path / "file")
    assert "cannot be written" in refused(stack, "--out", tmp_path / "file/below")
    assert "--out" in refused(stack, "--force", "--out", "/proc/nowhere/below")  # also for root


def test_an_out_that_already_holds_a_selection(
    relion_job: Path, tmp_path: Path, refused: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["select", str(relion_job), "--force", "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    told = refused(relion_job, "--force", "--out", tmp_path / "out")
    assert "already holds a selection (backup_selection.star)" in told


def test_a_folder_is_named_as_seen_from_where_the_user_stands(
    relion_job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(relion_job.parents[1])
    place = relion_job.parent.name
    assert main(["select", f"{place}/{relion_job.name}", "--force"]) == 0
    folder = f"{place}/{relion_job.name}_selected"
    assert f"files to {folder}; open {folder}/report.html\n" in capsys.readouterr().err


def test_a_second_selection_is_numbered(relion_job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("job012_selected", "job012_selected_2", "job012_selected_3"):
        assert main(["select", str(relion_job), "--force"]) == 0
        assert (relion_job.with_name(name) / "particles.star").is_file()
        assert name in capsys.readouterr().err


def test_a_refusal_while_the_model_still_loads_ends_the_process_in_order(stack: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/classes.csv").write_text("an earlier selection")
    command = [
        sys.executable,
        "-m",
        "cryofed",
        "select",
        str(stack),
        "--out",
        str(tmp_path / "out/classes.csv"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "--out: is a file" in done.stderr


def test_an_out_inside_the_job(relion_job: Path, refused: Callable[..., str]) -> None:
    assert "inside the job's own files" in refused(relion_job, "--out", relion_job)
    assert "inside the job's own files" in refused(relion_job, "--out", relion_job / "selected")


def test_a_failure_while_writing_leaves_nothing(
    relion_job: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cryofed.selection.relion.write_particles", full)
    told = refused(relion_job, "--force", "--out", relion_job.parents[2] / "new/place")
    assert "No space left on device" in told
    assert not (relion_job.parents[2] / "new").exists()


def test_a_model_that_is_none(stack: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    refused(stack, "--model", tmp_path / "none.onnx")
