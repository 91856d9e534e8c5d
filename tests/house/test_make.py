"""What `make` does before there is a virtual environment, and the releases that it installs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def find(*pythons: object) -> subprocess.CompletedProcess[str]:
    command = ["sh", ROOT / ".ci/find_python", *pythons]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fake(path: Path, code: str) -> Path:
    """A Python that runs `code` first."""
    before = path.with_suffix(".before")
    before.mkdir()
    (before / "sitecustomize.py").write_text(code)
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{before}" exec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return path


OLD = "import sys; sys.version_info = (3, 10, 13, 'final', 0)"
BARE = "import sys; sys.modules['ensurepip'] = None"


def test_the_first_python_that_fits_is_taken(tmp_path: Path) -> None:
    old, bare = fake(tmp_path / "old", OLD), fake(tmp_path / "bare", BARE)
    done = find("no-such-python", old, bare, sys.executable)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{sys.executable}\n", "")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (OLD, ("CryoFed needs Python 3.11, 3.12, 3.13 or 3.14", "make PYTHON=")),
        (
            BARE,
            ("ensurepip is missing", f"apt install python3.{sys.version_info.minor}-venv", "make PYTHON="),
        ),
    ],
)
def test_a_python_that_does_not_fit_gets_one_line(tmp_path: Path, code: str, words: tuple[str, ...]) -> None:
    done = find(fake(tmp_path / "python", code))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert all(word in done.stderr for word in words)


def test_an_engine_may_refuse_later_pythons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = fake(tmp_path / "new", "import sys; sys.version_info = (3, 13, 1, 'final', 0)")
    old = fake(tmp_path / "old", "import sys; sys.version_info = (3, 12, 1, 'final', 0)")
    assert find(new, old).stdout == f"{new}\n"
    monkeypatch.setenv("BELOW", "13")
    assert find(new, old).stdout == f"{old}\n"
    refused = find(new)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "here below 3.13; none of these fits" in refused.stderr


@pytest.mark.parametrize(
    ("lock", "own"),
    [
        ("constraints.txt", ("flare", "mlflow")),
        ("constraints-flower.txt", ("flower",)),
        ("constraints-openfl.txt", ("openfl",)),
    ],
)
def test_the_lock_has_a_release_of_every_dependency_but_torch(lock: str, own: tuple[str, ...]) -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = ("train", "web", "privacy", "trust", "dev", *own)
    extras = [project["optional-dependencies"][name] for name in names]
    lines = (ROOT / lock).read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    for text in [*project["dependencies"], *(text for extra in extras for text in extra)]:
        wanted = Requirement(text)
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name not in ("cryofed", "torch"):
            assert wanted.specifier.contains(pins[name]), text
    assert not [name for name in pins if name.startswith(("torch", "nvidia", "cuda", "triton"))]


def test_the_pythons_of_make_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    minors = [int(m) for m in re.findall(r"Python :: 3\.(\d+)", "\n".join(project["classifiers"]))]
    assert project["requires-python"] == f">=3.{minors[0]},<3.{minors[-1] + 1}"
    finder, readme = (ROOT / ".ci/find_python").read_text(), (ROOT / "README.md").read_text()
    assert f"(3, {minors[0]}) <= sys.version_info < (3, {minors[-1] + 1})" in finder
    named = f"{', '.join(f'3.{m}' for m in minors[:-1])} or 3.{minors[-1]}"
    assert named in finder
    assert named in readme
