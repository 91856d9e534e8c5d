"""The table of what a person decided: written beside a selection, read back, and refused where it is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryofed.errors import InputError
from cryofed.jobs.opening import open_job
from cryofed.selection.decisions import FILE, decisions_text, read_decisions


def test_what_is_written_is_read_back_and_names_the_job_from_its_own_place(
    relion_job: Path, tmp_path: Path
) -> None:
    job = open_job(relion_job)
    folder = tmp_path / "elsewhere" / "reviewed"
    folder.mkdir(parents=True)
    (folder / FILE).write_text(decisions_text(job, {5: False, 2: True}, folder))
    table = read_decisions(folder / FILE)
    assert dict(table.kept) == {2: True, 5: False}
    assert table.job is not None
    assert table.job.resolve() == job.path.resolve()
    assert not table.job.is_absolute() or str(tmp_path) in str(table.job)


def test_a_table_of_ones_own_needs_two_columns_in_any_order_and_says_nothing_by_an_empty_label(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text("label\tnote\tclass_number\n1\tgood\t3\n\tno idea\t4\n0\tice\t5\n")
    table = read_decisions(path)
    assert dict(table.kept) == {3: True, 5: False}
    assert table.job is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "0 bytes"),
        ("class\tlabel\n1\t1\n", "columns class, label"),
        ("class_number\tlabel\n1\tyes\n", "label 'yes'"),
        ("class_number\tlabel\n-1\t1\n", "class '-1'"),
        ("class_number\tlabel\n1\t\n", "no class has one"),
        ("class_number\tlabel\n1\t1\n1\t0\n", "class 1 is kept and rejected"),
        ("class_number\tlabel\n1\n", "no class has one"),
    ],
)
def test_what_is_no_such_table_is_named(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text(text)
    with pytest.raises(InputError) as told:
        read_decisions(path)
    assert found in str(told.value)


def test_a_picture_or_a_missing_file_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="no text"):
        read_decisions(tmp_path / "a.mrc")
    with pytest.raises(InputError, match="no such file"):
        read_decisions(tmp_path / "none.tsv")
