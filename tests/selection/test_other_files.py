"""What is written for CryoSPARC and for a plain stack."""

import csv
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryofed.errors import InputError
from cryofed.jobs.opening import open_job
from cryofed.scoring.reasons import REASONS
from cryofed.scoring.scorer import Scores
from cryofed.selection.cryosparc import FILES, write_rows
from cryofed.selection.policy import decide
from cryofed.selection.writer import write_selection


def scores(values: list[float]) -> Scores:
    n = len(values)
    return Scores(score=np.array(values), reasons=np.full((n, len(REASONS)), 0.1), unsure=np.zeros(n, bool))


@pytest.fixture
def cryosparc_out(cryosparc_job: Path) -> Path:
    """Classes 1, 4 and 6 are kept: 0, 3 and 5 as CryoSPARC counts."""
    job = open_job(cryosparc_job)
    out = cryosparc_job.parent / "selected"
    write_selection(job, decide(job, scores([0.9, 0, 0.04, 0.8, 0.9, 0.7])), out)
    return out


def test_these_files_and_the_report_are_written(cryosparc_out: Path) -> None:
    assert {path.name for path in cryosparc_out.iterdir()} == {*FILES, "report.html"}


@pytest.mark.parametrize(
    ("kind", "field", "source"),
    [
        ("particles", "alignments2D/class", "J12_020_particles.cs"),
        ("templates", "blob/idx", "J12_020_class_averages.cs"),
    ],
)
def test_rows_are_split_by_class_in_order_byte_for_byte(
    cryosparc_out: Path, cryosparc_job: Path, kind: str, field: str, source: str
) -> None:
    before = np.load(cryosparc_job / source)
    kept = np.isin(before[field], [0, 3, 5])
    for name, chosen in (("selected", kept), ("excluded", ~kept)):
        after = np.load(cryosparc_out / f"{kind}_{name}.cs")
        assert after.dtype == before.dtype
        assert after.tobytes() == before[chosen].tobytes()
        assert len(after) > 0


def test_the_groups_join_what_was_computed_with_what_was_passed_through(cryosparc_job: Path) -> None:
    yaml = pytest.importorskip("yaml")
    passthrough = cryosparc_job / "J12_passthrough_particles.cs"
    uid = np.load(cryosparc_job / "J12_020_particles.cs")["uid"]
    rng = np.random.default_rng(1)
    fields = [
        ("uid", "<u8"),
        ("blob/path", "S9"),
        ("blob/idx", "<u4"),
        ("ctf/df1_A", "<f4"),
        ("location/x", "<f4"),
    ]
    passed = np.zeros(len(uid), fields)
    passed["uid"], passed["ctf/df1_A"] = rng.permutation(uid), rng.uniform(size=len(uid))
    with passthrough.open("wb") as file:
        np.save(file, passed)
    (cryosparc_job / "job.json").write_text('{"version": "v4.6.2"}')
    out = cryosparc_job.parent / "selected"
    job = open_job(cryosparc_job)
    write_selection(job, decide(job, scores([0.9, 0, 0.04, 0.8, 0.9, 0.7])), out)
    df = dict(zip(passed["uid"].tolist(), passed["ctf/df1_A"].tolist(), strict=True))
    for word in ("selected", "excluded"):
        computed, through = (np.load(out / f"{p}particles_{word}.cs") for p in ("", "passthrough_"))
        assert computed["uid"].tolist() == through["uid"].tolist()  # in one order, whatever it was before
        assert [df[u] for u in computed["uid"].tolist()] == through["ctf/df1_A"].tolist()
        group = yaml.safe_load((out / f"particles_{word}.csg").read_text())
        assert (group["group"]["type"], group["version"]) == ("particle", "v4.6.2")
        assert {name: result["metafile"] for name, result in group["results"].items()} == {
            "alignments2D": f">particles_{word}.cs",
            "blob": f">passthrough_particles_{word}.cs",
            "ctf": f">passthrough_particles_{word}.cs",
            "location": f">passthrough_particles_{word}.cs",
        }
        for result in group["results"].values():
            assert result["num_items"] == len(np.load(out / result["metafile"][1:])) == len(computed)
    templates = yaml.safe_load((out / "templates_selected.csg").read_text())
    assert templates["results"]["blob"]["type"] == "template.blob"


def test_a_passthrough_of_other_particles_is_refused(cryosparc_job: Path) -> None:
    with (cryosparc_job / "J12_passthrough_particles.cs").open("wb") as file:
        np.save(file, np.zeros(3, [("uid", "<u8"), ("ctf/df1_A", "<f4")]))
    job = open_job(cryosparc_job)
    with pytest.raises(InputError, match="142 of 142 particles are missing"):
        write_selection(job, decide(job, scores([0.9] * 6)), cryosparc_job.parent / "selected")
    assert not (cryosparc_job.parent / "selected").exists()


def test_without_a_passthrough_it_is_said_that_cryosparc_cannot_go_on(cryosparc_job: Path) -> None:
    (cryosparc_job / "J12_passthrough_particles.cs").unlink()
    assert "no passthrough dataset" in open_job(cryosparc_job).notes[0]


def test_the_csv_tells_what_the_table_tells(cryosparc_out: Path) -> None:
    with (cryosparc_out / "classes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class_number"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert [row["kept"] for row in rows] == ["1", "0", "0", "1", "0", "1"]
    assert [row["particles"] for row in rows] == ["40", "0", "25", "60", "5", "12"]
    assert [row["score"] for row in rows] == ["0.9", "", "0.04", "0.8", "", "0.7"]
    assert rows[1]["reason"] == rows[4]["reason"] == "too few particles"


def test_the_kept_stack_has_the_kept_averages_and_the_pixel_size(
    stack: Path, make_blobs: Callable[..., np.ndarray]
) -> None:
    job = open_job(stack)
    out = stack.with_name("out")
    write_selection(job, decide(job, scores([0.9, 0, 0.04, 0.8, 0, 0.7])), out)
    assert {path.name for path in out.iterdir()} == {"kept.mrcs", "classes.csv", "report.html"}
    with mrcfile.open(out / "kept.mrcs") as mrc:
        assert np.array_equal(mrc.data, make_blobs(6)[[0, 3, 5]])
        assert mrc.voxel_size.x == 3
        assert mrc.is_image_stack()


def test_nothing_kept_writes_no_stack(stack: Path) -> None:
    job = open_job(stack)
    write_selection(job, decide(job, scores([0.0] * 6)), stack.with_name("out"))
    assert {path.name for path in stack.with_name("out").iterdir()} == {"classes.csv", "report.html"}


def test_what_lies_between_fields_is_copied_and_not_taken_from_the_memory(tmp_path: Path) -> None:
    kind = np.dtype({"names": ["uid", "x"], "formats": ["<u8", "<f4"], "offsets": [0, 16], "itemsize": 24})
    held = np.frombuffer(bytes(range(24)) * 50, kind)
    with (tmp_path / "in.npy").open("wb") as file:
        np.save(file, held)
    rows = np.load(tmp_path / "in.npy", mmap_mode="r")
    write_rows(tmp_path / "out.cs", rows, np.arange(0, 50, 2))
    raw = rows.view("V24")[::2].tobytes()
    assert (tmp_path / "out.cs").read_bytes().endswith(raw)
