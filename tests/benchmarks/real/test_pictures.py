"""A file comes from the network once, and only the one that was measured is let through."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.real.pictures import read_picture
from benchmarks.real.sources import Picture

from cryofed.errors import InputError

Host = Callable[[dict[str, bytes]], tuple[str, str]]


def told(commit: str, data: bytes, **rest: object) -> Picture:
    digest = hashlib.sha256(data).hexdigest()
    return Picture(
        **{
            "repository": "lab/pictures",
            "branch": "main",
            "commit": commit,
            "path": "a.png",
            "sha256": digest,
        }
        | rest
    )


def test_one_file_of_one_commit_is_fetched_and_no_other(host: Host, tmp_path: Path) -> None:
    address, commit = host({"a.png": b"picture", "large.bin": b"x" * 100_000})
    picture, clones = told(commit, b"picture"), tmp_path / "clones"
    assert read_picture(picture, clones, address) == b"picture"
    stored = sum(file.stat().st_size for file in (clones / "lab+pictures/objects").rglob("*"))
    assert stored < 20_000  # the large file did not come


def test_what_was_fetched_serves_without_a_network(host: Host, tmp_path: Path) -> None:
    address, commit = host({"a.png": b"picture"})
    picture, clones = told(commit, b"picture"), tmp_path / "clones"
    read_picture(picture, clones, address)
    shutil.rmtree(tmp_path / "host")
    assert read_picture(picture, clones, None) == b"picture"


def test_a_commit_that_is_gone_is_looked_for_on_its_branch(host: Host, tmp_path: Path) -> None:
    address, _ = host({"a.png": b"picture"})
    assert read_picture(told("1" * 40, b"picture"), tmp_path / "clones", address) == b"picture"


def test_another_picture_of_the_same_name_is_refused(host: Host, tmp_path: Path) -> None:
    address, commit = host({"a.png": b"another"})
    with pytest.raises(InputError, match=f"a.png: another picture .* look for commit {commit}"):
        read_picture(told(commit, b"picture"), tmp_path / "clones", address)


def test_a_repository_that_is_not_in_the_mirror_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"lab/pictures: a.png: not in .*lab\+pictures; fetch the repository"
    ):
        read_picture(told("1" * 40, b"picture"), tmp_path, None)


def test_a_repository_that_is_gone_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lab/pictures: repository: ") as caught:
        read_picture(told("1" * 40, b"picture"), tmp_path / "clones", f"file://{tmp_path}")
    assert "\n" not in str(caught.value)


def test_a_picture_attached_to_a_notebook_is_taken_out(host: Host, tmp_path: Path) -> None:
    text = base64.b64encode(b"picture").decode()
    notebook = {"cells": [{"attachments": {"image.png": {"image/png": text}}}]}
    address, commit = host({"a.ipynb": json.dumps(notebook).encode()})
    picture = told(commit, b"picture", path="a.ipynb", cell=0, attachment="image.png")
    assert read_picture(picture, tmp_path / "clones", address) == b"picture"


@pytest.mark.parametrize(
    "notebook", [b"no json", b"[]", b'{"cells": []}', b'{"cells": [{"attachments": 3}]}']
)
def test_a_notebook_without_the_picture_is_refused(notebook: bytes, host: Host, tmp_path: Path) -> None:
    address, commit = host({"a.ipynb": notebook})
    picture = told(commit, b"picture", path="a.ipynb", cell=0, attachment="image.png")
    with pytest.raises(InputError, match=r"no attachment image\.png in cell 0"):
        read_picture(picture, tmp_path / "clones", address)
