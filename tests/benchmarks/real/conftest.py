"""Small sets with known labels, and a repository like those of the sources."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.real.sets import RealSet
from PIL import Image

from cryofed.jobs.job import ClassJob, ClassTable


@pytest.fixture
def real_set() -> Callable[..., RealSet]:
    """A set from its labels: 1 keep, 0 reject, None not counted."""

    def make(name: str, labels: list[int | None], molecule: str = "", **told: object) -> RealSet:
        n = len(labels)
        rng = np.random.default_rng(n)
        job = ClassJob(
            program="images",
            path=Path(name),
            name=name,
            averages=rng.normal(size=(n, 32, 32)).astype(np.float32),
            classes=ClassTable.unknown(n),
        )
        rest = {"training": True, "demonstration": False, "negative_stain": False} | told
        return RealSet(
            name=name,
            molecule=molecule or name,
            job=job,
            good=np.array([label == 1 for label in labels]),
            counted=np.array([label is not None for label in labels]),
            grey="job",
            labelled_by="authors",
            **rest,
        )

    return make


@pytest.fixture
def host(tmp_path: Path) -> Callable[[dict[str, bytes]], tuple[str, str]]:
    """A host with one repository `lab/pictures`: its address and the commit that holds the files given."""

    def make(files: dict[str, bytes]) -> tuple[str, str]:
        place = tmp_path / "host/lab/pictures"
        place.mkdir(parents=True)
        git(place, "init", "--quiet", "--initial-branch=main")
        git(place, "config", "uploadpack.allowFilter", "true")
        git(place, "config", "uploadpack.allowAnySHA1InWant", "true")
        for name, data in files.items():
            (place / name).write_bytes(data)
        git(place, "add", ".")
        git(place, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "files")
        return f"file://{tmp_path / 'host'}", git(place, "rev-parse", "HEAD").strip()

    return make


def git(place: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(place), *words], check=True, capture_output=True, text=True
    ).stdout


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()
