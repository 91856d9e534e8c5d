"""A set is built from its picture in class order, both files or none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.real.build import CLONES, build, checksum
from benchmarks.real.sources import Grid, Labels, Picture, Source, labels, sources
from tests.benchmarks.real.conftest import png

from benchmarks.real import build as building
from cryofed.jobs.opening import open_job

Host = Callable[[dict[str, bytes]], tuple[str, str]]


@pytest.fixture
def one_set(host: Host, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Three tiles of 32 pixels with a square of 1, 2 and 3 in them; the classes are tiles 3, 1 and 2."""
    picture = np.full((32, 96, 3), 20)
    for index in range(3):
        picture[8:24, 32 * index + 8 : 32 * index + 24] += 64 * (index + 1)
    data = png(picture)
    address, commit = host({"a.png": data})
    digest = hashlib.sha256(data).hexdigest()
    where = Picture(repository="lab/pictures", branch="main", commit=commit, path="a.png", sha256=digest)
    source = replace(
        sources()[0], name="small", picture=where, pixel_size_angstrom=2.5, classes=3,
        grid=Grid(tile=32, box=32, places=((0, 0), (32, 0), (64, 0))),
    )  # fmt: skip
    judged = Labels(
        tile=np.array([3, 1, 2]),
        good=np.array([True, False, False]),
        counted=np.array([True, True, False]),
        note=("", "", ""),
    )
    monkeypatch.setattr(building, "sources", lambda: (source,))
    monkeypatch.setattr(building, "labels", lambda: {"small": judged})
    monkeypatch.setattr(building, "HOST", address)
    return source


def test_a_stranger_with_a_network_builds_stack_and_labels(one_set: Source, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (built,) = build(out)
    assert not built.skipped
    job = open_job(out / "small.mrcs")
    assert job.pixel_size_angstrom == 2.5
    # Tiles 3, 1, 2 have squares of 3, 1, 2 above their corners; the brightest pixel of the set is 1.
    assert np.allclose(job.averages[:, 16, 16], [1, 1 / 3, 2 / 3], atol=1e-3)
    assert (out / "small.tsv").read_text() == "class_number\tlabel\n1\t1\n2\t0\n3\t\n"
    assert sorted(p.name for p in out.iterdir()) == [CLONES, "small.mrcs", "small.tsv"]


def test_the_checksum_says_whether_the_pixels_are_ours(
    one_set: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = build(tmp_path / "out")
    assert not first.same_pixels
    ours = replace(one_set, pixels=checksum(open_job(tmp_path / "out/small.mrcs").averages))
    monkeypatch.setattr(building, "sources", lambda: (ours,))
    (second,) = build(tmp_path / "out")
    assert second.same_pixels


def test_a_set_whose_picture_is_missing_leaves_no_file(one_set: Source, tmp_path: Path) -> None:
    (built,) = build(tmp_path / "out", mirror=tmp_path)
    assert "lab/pictures: a.png: not in" in built.skipped
    assert list((tmp_path / "out").iterdir()) == []


def test_a_picture_that_cannot_be_read_is_said_and_leaves_no_file(
    one_set: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "read_picture", lambda *_: b"no picture")
    (built,) = build(tmp_path / "out")
    assert built.skipped.endswith("fetch the picture again")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.shared
def test_the_checksums_are_those_of_the_development_data(shared: Path) -> None:
    for source in sources():
        found = list((shared / "data").glob(f"class_averages*/{source.name}.mrcs"))
        assert found, source.name
        from cryofed.jobs.opening import open_job

        assert checksum(open_job(found[0]).averages) == source.pixels, source.name
        rows = found[0].with_suffix(".tsv").read_text().splitlines()[1:]
        given = [row.split("\t")[1] for row in rows]
        of = labels()[source.name]
        ours = [str(int(g)) if c else "" for g, c in zip(of.good, of.counted, strict=True)]
        assert given == ours, source.name
