import os
from collections import Counter
from pathlib import Path

import pytest
import starfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryofed.errors import InputError, OutputError
from cryofed.jobs import row_blocks, row_copies, star
from cryofed.jobs.row_copies import write_particles
from cryofed.jobs.rows import ParticleRows, read_particles

HEAD = "\n# version 30001\n\ndata_optics\n\nloop_\n_rlnOpticsGroup #1\n1\n\n\ndata_particles\n\nloop_\n"
TABLE = HEAD + "_rlnImageName #1\n_rlnClassNumber #2\n_rlnNormCorrection #3\n"


def written(folder: Path, text: str) -> ParticleRows:
    (folder / "data.star").write_bytes(text.encode())
    return read_particles(folder / "data.star")


def filtered(rows: ParticleRows, keep: set[int]) -> str:
    target = rows.path.with_name("kept.star")
    write_particles(rows, target, keep)
    return target.read_bytes().decode()


def test_rows_are_filtered_by_class_and_keep_every_byte(tmp_path: Path) -> None:
    rows = written(tmp_path, TABLE + " 1@a.mrcs   2  0.9 \n\t2@a.mrcs 13 .8\n3@a.mrcs 2\t1e-3  \n \n")
    assert filtered(rows, {2}) == TABLE + " 1@a.mrcs   2  0.9 \n3@a.mrcs 2\t1e-3  \n \n"


def test_classes_are_counted_by_hard_assignment(tmp_path: Path) -> None:
    rows = written(tmp_path, TABLE + "1@a 2 0.9\n2@a 13 .8\n3@a 2 1\n\n")
    assert Counter(rows.classes.tolist()) == {2: 2, 13: 1}


def test_tables_behind_the_particles_are_copied(tmp_path: Path) -> None:
    behind = "\ndata_other\n\nloop_\n_rlnClassNumber #1\n2\n"
    rows = written(tmp_path, TABLE + "1@a 2 0.9\n2@a 3 .8\n" + behind)
    assert filtered(rows, {3}) == TABLE + "2@a 3 .8\n" + behind
    assert Counter(rows.classes.tolist()) == {2: 1, 3: 1}


def test_a_table_may_begin_right_behind_the_last_row(tmp_path: Path) -> None:
    rows = written(tmp_path, TABLE + "1@a 2 0.9\n2@a 3 .8\ndata_other\n\n_a b\n")
    # A blank line ends the table: without it RELION takes the next block's name for a row.
    assert filtered(rows, {2}) == TABLE + "1@a 2 0.9\n\ndata_other\n\n_a b\n"


def test_quoted_values_may_hold_spaces_and_numbers(tmp_path: Path) -> None:
    text = HEAD + "_rlnClassNumber #1\n_rlnMicrographName #2\n_rlnComment #3\n"
    rows = written(tmp_path, text + "1 plain.mrc none\n2 'my 7 file.mrc' \"5 6\"\n3 it's.mrc none\n")
    assert Counter(rows.classes.tolist()) == {1: 1, 2: 1, 3: 1}
    assert filtered(rows, {2}) == text + "2 'my 7 file.mrc' \"5 6\"\n"


def test_a_last_row_without_line_end_gets_one(tmp_path: Path) -> None:
    assert filtered(written(tmp_path, TABLE + "1@a 2 0.9\n2@a 3 .8"), {3}) == TABLE + "2@a 3 .8\n"


@pytest.mark.parametrize("kernel", [True, False])
def test_where_all_rows_are_kept_the_file_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: bool
) -> None:
    def cannot(*_: object) -> int:
        raise OSError

    if not kernel:
        monkeypatch.setattr(os, "copy_file_range", cannot, raising=False)
    text = TABLE + "1@a 2 0.9\n2@a 3 .8\n\n# the end\n"
    assert filtered(written(tmp_path, text), {2, 3}) == text


@given(st.integers(1, 70), st.data())
@settings(max_examples=40)
def test_words_are_found_as_split_finds_them(width: int, data: st.DataObject) -> None:
    word = st.text("ab7", min_size=1, max_size=40)
    gap = st.text(" \t", min_size=1, max_size=30)
    lines = []
    for number in data.draw(st.lists(st.integers(0, 999999999), min_size=1, max_size=9)):
        words = [str(number), *data.draw(st.lists(word, min_size=width, max_size=width))]
        lines.append("".join(data.draw(gap) + w for w in words))
    text = ("\n".join(lines) + "\n").encode()
    reader = row_blocks.RowReader(
        Path("data.star"), [b"rlnClassNumber"] + [b"_%d" % i for i in range(width)], 0
    )
    (classes, first, size), ended = reader.block(bytearray(text + b"behind"), len(text))
    assert classes.tolist() == [int(line.split()[0]) for line in lines]
    assert [text[a : a + n].decode() for a, n in zip(first, size, strict=True)] == [
        f"{one}\n" for one in lines
    ]
    assert ended is None


def test_an_empty_table_has_no_particles(tmp_path: Path) -> None:
    rows = written(tmp_path, TABLE + "\n")
    assert Counter(rows.classes.tolist()) == {}
    assert filtered(rows, {1}) == TABLE + "\n"


def test_relion_3_0_and_earlier_have_one_unnamed_table(tmp_path: Path) -> None:
    rows = written(tmp_path, "data_\n\nloop_\n_rlnImageName #1\n_rlnClassNumber #2\n1@a 4\n")
    assert Counter(rows.classes.tolist()) == {4: 1}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("1@a 2\n2@a 3 .8\n", "2 values for 3 columns"),
        ("1@a 2 .9\n2@a 3 .8 7\n", "4 values for 3 columns"),
        ("1@a x .9\n", "'x' where a whole number belongs"),
        ("1@a 2.5 .9\n", "'2.5' where a whole number belongs"),
    ],
)
def test_damaged_rows_are_refused(tmp_path: Path, body: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        written(tmp_path, TABLE + body)


def test_a_file_without_class_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="_rlnClassNumber: no such column"):
        written(tmp_path, HEAD + "_rlnImageName #1\n1@a\n")


def test_a_block_gives_its_columns_and_a_list_one_row(tmp_path: Path) -> None:
    path = tmp_path / "model.star"
    path.write_text(
        "data_model_general\n\n_rlnPixelSize 3.0\n\ndata_model_classes\n\nloop_\n_a #1\n_b #2\n1 x\n2 -nan\n"
    )
    assert star.read_block(path, "model_general") == {"rlnPixelSize": ["3.0"]}
    assert star.read_block(path, "model_classes") == {"a": ["1", "2"], "b": ["x", "-nan"]}
    assert star.read_block(path, "model_class") is None  # a name is never taken for another's beginning


def test_rows_that_changed_since_they_were_counted_are_refused(tmp_path: Path) -> None:
    rows = written(tmp_path, TABLE + "1@a 2 0.9\n2@a 3 .8\n\n")
    rows.path.write_text(TABLE + "1@a 2 0.9\n2@a 33 .8\n\n")
    with pytest.raises(InputError, match="wait until the job has finished"):
        write_particles(rows, tmp_path / "kept.star", {2})


def test_a_file_that_is_cut_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = written(tmp_path, TABLE + "1@a 2 0.9\n2@a 3 .8\n" * 9 + "\n")
    monkeypatch.setattr(row_copies, "stamp_of", lambda _: rows.stamp)  # it was whole a moment ago
    os.truncate(rows.path, rows.stamp[0] - 40)
    with pytest.raises(InputError, match="cut while it was read"):
        write_particles(rows, tmp_path / "kept.star", {2})


ROWS = "1@a 2 0.9\n2@a 3 .8\n3@a 2 .7\n"


@pytest.mark.parametrize(
    "text",
    [
        TABLE + "\n" + ROWS + "\n",
        TABLE + "# a comment\n \n" + ROWS + "\n",
        TABLE.replace("_rln", " _rln").replace("data_", " data_") + ROWS,
        (TABLE + ROWS + "\n").replace("\n", "\r\n"),
        TABLE + "1@a 2 0.9 # good\n2@a 3 .8\n# a comment\n3@a 2 .7\n\n",
        "\ufeff" + TABLE.lstrip() + ROWS,
        TABLE + ROWS.replace(" ", "\t"),
        TABLE.replace("rlnImageName", "rlnÜbung") + ROWS.replace("a", "größe"),
        TABLE + ROWS.replace("1@a", '"1@a b"').replace("3@a", "'3@a b'"),
        TABLE + ROWS.replace("1@a", "data_1").replace("2@a", "loop_").replace("3@a", "_x"),
        TABLE + "1@it's 2 0.9\n2@a#b 3 .8\n3@a 2 .7\n",
        "\n# version 50001\n\ndata_general\n\n_rlnTomoSubTomosAre2DStacks 1\n\n" + TABLE + ROWS,
    ],
    ids=["blank", "comment", "indented", "crlf", "comment-in-rows", "bom", "tabs", "utf-8", "quotes", "words",
         "marks", "relion-5-tomo"],
)  # fmt: skip
def test_a_table_is_read_however_it_is_laid_out(tmp_path: Path, text: str) -> None:
    rows = written(tmp_path, text)
    assert rows.classes.tolist() == [2, 3, 2]
    kept = filtered(rows, {2})
    assert "\r" not in kept
    again = read_particles(tmp_path / "kept.star")
    assert (again.classes.tolist(), again.plain) == ([2, 2], True)  # and nothing is left to be cleaned


def test_the_particles_are_those_of_their_block_wherever_it_stands(tmp_path: Path) -> None:
    other = "data_model_classes\n\nloop_\n_rlnClassNumber\n_rlnX\n7 1\n8 1\n\n"
    rows = written(tmp_path, other + TABLE.lstrip() + ROWS + "\n")
    assert rows.classes.tolist() == [2, 3, 2]
    assert filtered(rows, {3}) == other + TABLE.lstrip() + "2@a 3 .8\n\n"


@pytest.mark.parametrize("number", ["2.0", "2.000000", "+2", "02"])
def test_a_whole_number_may_be_written_as_others_do(tmp_path: Path, number: str) -> None:
    assert written(tmp_path, TABLE + ROWS.replace(" 2 ", f" {number} ")).classes.tolist() == [2, 3, 2]


def test_names_are_written_so_that_relion_reads_them(tmp_path: Path) -> None:
    text = TABLE.replace(" #", "#").replace("data_particles\n", "data_particles # here\n")
    assert filtered(written(tmp_path, text + ROWS + "\n"), {2, 3}) == TABLE + ROWS + "\n"


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        (TABLE + ROWS + " \n", True),
        (TABLE + ROWS, False),  # RELION, which wrote the version, ends a table with a blank line
        (TABLE.replace("# version 30001", "") + ROWS, True),
        (TABLE.replace("# version 30001", "") + ROWS[:-1], False),
    ],
)
def test_a_file_that_may_have_been_cut_is_told(tmp_path: Path, text: str, ended: bool) -> None:
    assert written(tmp_path, text).ended is ended


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TABLE + ROWS + "\n" + TABLE + ROWS, "data_particles: a second such block"),
        (
            TABLE.replace("rlnClass", "rlnGroup") + ROWS + "\n" + TABLE.replace("particles", "x") + ROWS,
            "_rlnClassNumber: no such column in data_particles",
        ),
        (TABLE + '"1@"a b"" 2 .9\n', "line 17: a quote within quotes"),
        (TABLE + "1@a 2 .9\n\n2@a 3 .8\n", "line 19: a row behind the blank line that ends its table"),
        (TABLE + "1@a 2 .9 1\n2@a 3\n3@a 2 .7\n", "line 17: 4 values for 3 columns"),
        (TABLE + "_rlnClassNumber #4\n1@a 2 .9 1\n", "line 17: _rlnClassNumber a second time"),
        (TABLE + '1@a 2 "9\n', "line 17: a quote that is not closed"),
        (TABLE + "1@a 99999999999 .9\n", "where a whole number belongs"),
        ("data_particles\nloop_\n" + "".join(f"_a{i}\n" for i in range(1001)), "over 1000 columns"),
        (TABLE + "1@a 2 " + "9" * (1 << 20), "longer than 1 MiB|values for"),
    ],
    ids=[
        "two-tables",
        "other-table",
        "quotes",
        "behind",
        "two-wrong-widths",
        "twice",
        "quote",
        "huge",
        "columns",
        "long",
    ],
)
def test_a_table_that_relion_cannot_read_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        filtered(written(tmp_path, text), {2})


def test_a_block_follows_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "model.star"
    path.write_bytes(
        b" data_a\r\n\r\n _x 'one two' # why\r\n_y \"\"\r\n"
        b"data_b\nloop_\n_rlnName\n_n\n\n# here\ndata_1.mrc 1\ngr\xc3\xb6\xc3\x9fe 2\n\xff 3\n\n"
        b"data_c\nloop_\n_p\n_q\n1 2\n\n3 4\n"
    )
    assert star.need_block(path, "a") == {"x": ["one two"], "y": [""]}
    assert star.need_block(path, "b") == {"rlnName": ["data_1.mrc", "größe", "\udcff"], "n": list("123")}
    with pytest.raises(InputError, match="a row behind the blank line"):
        star.need_block(path, "c")


def test_a_list_and_a_loop_in_one_block_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.star").write_text("data_a\n\n_x 1\n\nloop_\n_y\n_z\n1 2\n3 4\n\n")
    with pytest.raises(InputError, match="a list and a loop in one block"):
        star.need_block(tmp_path / "model.star", "a")


def test_a_written_loop_is_read_back_whatever_its_values(tmp_path: Path) -> None:
    columns = {"a": ["two words", "", "it's", '"quoted', "#1", "größe", "\udcff"], "b": list("1234567")}
    path = tmp_path / "t.star"
    path.write_bytes(star.as_bytes(star.loop_text("t", columns)))
    assert star.need_block(path, "t") == columns


def test_rows_that_were_lost_in_writing_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = written(tmp_path, TABLE + ROWS)
    monkeypatch.setattr(row_copies, "_pieces", lambda *_: iter([[b"1@a 2 0.9\n"]]))
    with pytest.raises(OutputError, match="1 rows were written, 2 were to be kept"):
        filtered(rows, {2})


word = st.text(st.sampled_from("abz019.@/_-+"), min_size=1, max_size=9).filter(
    lambda w: not w.startswith(("_", "data_", "loop_"))
)
gap = st.text(st.sampled_from(" \t"), min_size=1, max_size=3)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[str], list[int]]:
    """A header, rows of random words with a class number at a random place, and the class numbers."""
    width = draw(st.integers(1, 6))
    field = draw(st.integers(0, width - 1))
    names = "".join(f"_{'rlnClassNumber' if i == field else f'c{i}'} #{i + 1}\n" for i in range(width))
    classes = draw(st.lists(st.integers(0, 250), max_size=30))
    rows = []
    for number in classes:
        words = [draw(word) for _ in range(width)]
        words[field] = str(number)
        rows.append(
            draw(st.sampled_from(["", " "]))
            + draw(gap).join(words)
            + draw(st.sampled_from(["", "  "]))
            + "\n"
        )
    return HEAD + names, rows, classes


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(table=tables(), keep=st.sets(st.integers(0, 250)), chunk=st.integers(1, 200))
def test_any_table_in_any_chunks_is_the_plain_filter(
    tmp_path: Path,
    table: tuple[str, list[str], list[int]],
    keep: set[int],
    chunk: int,
) -> None:
    head, rows, classes = table
    with pytest.MonkeyPatch.context() as patch:
        for room in (row_blocks, row_copies):
            patch.setattr(room, "BLOCK", chunk)  # bytes: every row may be cut off from its neighbours
        found = written(tmp_path, head + "".join(rows) + "\n")
        assert found.classes.tolist() == classes
        expected = [row for row, number in zip(rows, classes, strict=True) if number in keep]
        assert filtered(found, keep) == head + "".join(expected) + "\n"


def test_a_real_data_star_is_filtered_as_starfile_reads_it(shared: Path, tmp_path: Path) -> None:
    source = shared / "data/relion_jobs/job001/run_it020_data.star"
    kept = write_particles(read_particles(source), tmp_path / "kept.star", {1, 10, 24})
    ours, theirs = starfile.read(tmp_path / "kept.star"), starfile.read(source)
    wanted = theirs["particles"]["rlnClassNumber"].isin([1, 10, 24])
    assert kept == wanted.sum() > 0
    assert ours["particles"].equals(theirs["particles"][wanted].reset_index(drop=True))
    assert str(ours["optics"]) == str(theirs["optics"])
