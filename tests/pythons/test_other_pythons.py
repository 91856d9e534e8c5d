"""The built wheel on every other Python that CryoFed supports: what needs no PyTorch, and the same bytes."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIGHT = ("tests/jobs", "tests/scoring", "tests/selection", "tests/cli/test_select.py")
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "starfile")
OTHERS = [minor for minor in (11, 12, 13, 14) if minor != sys.version_info.minor]
Maker = Callable[..., Path]

pytestmark = [pytest.mark.pythons, pytest.mark.timeout(900)]


def python(minor: int) -> str:
    """Another Python of this machine: on the path, or installed beside the one that runs the tests."""
    beside = Path(sys.base_prefix).resolve().parent.glob(f"*3.{minor}*/bin/python3.{minor}")
    for candidate in (shutil.which(f"python3.{minor}"), *map(str, sorted(beside))):
        if candidate and _runs(candidate, minor):
            return candidate
    pytest.skip(f"no Python 3.{minor} that can make a virtual environment on this machine")


def _runs(candidate: str, minor: int) -> bool:
    code = f"import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, {minor}))"
    return subprocess.run([candidate, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, and the wheel that was made from it."""
    out = tmp_path_factory.mktemp("dist")
    environment = os.environ | {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


def test_the_wheel_holds_what_the_program_reads_and_nothing_of_the_workshop(dist: Path) -> None:
    [wheel], [archive] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        f"cryofed/{path.relative_to(ROOT / 'src/cryofed')}" for path in (ROOT / "src/cryofed").rglob("*.*")
    }
    assert {n for n in ours if "__pycache__" not in n} == {n for n in names if n.startswith("cryofed/")}
    assert {"cryofed/py.typed", "cryofed/scoring/model/model.onnx"} <= names
    with tarfile.open(archive) as tar:
        inside = {name.split("/", 1)[1] for name in tar.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "tests/conftest.py"} <= inside


# A result group and a report say when they were written.
CREATED = re.compile(rb"^created: .*$|<dt>When</dt><dd>[^<]*</dd>", re.MULTILINE)


@pytest.fixture(params=OTHERS, ids=[f"3.{minor}" for minor in OTHERS])
def other(request: pytest.FixtureRequest, dist: Path, tmp_path: Path) -> Path:
    """An environment of another Python with the wheel, its few dependencies and the test tools."""
    subprocess.run([python(request.param), "-m", "venv", tmp_path / "other"], check=True)
    interpreter = tmp_path / "other/bin/python"
    [wheel] = dist.glob("*.whl")
    install = [interpreter, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, *TOOLS]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return interpreter


def test_what_needs_no_torch_works_there_and_selects_to_the_same_bytes(
    other: Path, tmp_path: Path, relion_job: Path, cryosparc_job: Path, stack: Path
) -> None:
    for job in (relion_job, cryosparc_job, stack):
        here = selected(Path(sys.executable), job, tmp_path / "out")
        assert selected(other, job, tmp_path / "out") == here
    command = [other, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", *LIGHT]
    done = subprocess.run(command, cwd=ROOT, env=clean(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    [passed] = re.findall(r"(\d+) passed", done.stdout)
    assert int(passed) > 150, done.stdout[-4000:]  # they ran, they were not skipped


def selected(interpreter: Path, job: Path, out: Path) -> dict[str, bytes]:
    """All that `cryofed select` prints and writes, by name; the folder is gone afterwards."""
    command = [interpreter, "-m", "cryofed", "select", job, "--out", out, "--force"]
    here = {"PYTHONPATH": str(ROOT / "src")} if interpreter == Path(sys.executable) else {}
    done = subprocess.run(command, env=clean() | here, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    files = {path.name: CREATED.sub(b"", path.read_bytes()) for path in out.iterdir()}
    assert "report.html" in files
    shutil.rmtree(out)
    return files | {"printed": done.stdout}


def clean() -> dict[str, str]:
    """This environment without the paths of this Python's packages."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
