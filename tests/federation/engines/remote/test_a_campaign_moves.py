"""A campaign that was begun on one engine goes on with another, to the same bits.

Each leg runs in an environment that has its engine: this one, `.venv-ENGINE` or `.venv` of this checkout.
Every pair of engines is walked in both directions, by the tests of the later one of the two.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from tests.federation.engines.remote.leg import ROUNDS
from tests.federation.engines.remote.real import REMOTE

from cryofed.disk.arrays import read_arrays
from cryofed.disk.documents import read_document
from cryofed.disk.lines import read_lines
from cryofed.errors import MissingPackageError
from cryofed.federation.engines.deployment import machines_of
from cryofed.federation.engines.remote.connection import free_port

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[4]
NEEDS = (
    "from cryofed.federation.engines.deployment import machines_of as m; import sys; m(sys.argv[1]).need()"
)
PAIRS = list(combinations(["embedded", *REMOTE], 2))


def environment() -> dict[str, str]:
    paths = [str(ROOT / "src"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def python_with(engine: str) -> str:
    """An interpreter that has this engine."""
    if engine == "embedded":
        return sys.executable
    places = [Path(sys.executable), *(ROOT / name / "bin/python" for name in (f".venv-{engine}", ".venv"))]
    for place in places:
        words = [str(place), "-c", NEEDS, engine]
        if (
            place.exists()
            and not subprocess.run(
                words, env=environment(), stderr=subprocess.DEVNULL, check=False
            ).returncode
        ):
            return str(place)
    pytest.skip(f"no environment of this checkout has engine {engine}; make it: make test-{engine}")


def leg(engine: str, home: Path, last: int, port: int) -> None:
    module = "tests.federation.engines.remote.leg"
    words = [python_with(engine), "-m", module, engine, str(home), str(last), str(port)]
    done = subprocess.run(
        words, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr


def ended(home: Path) -> tuple[bytes, list[str], str]:
    """The vector after the last round, the model after each, and what the gate made of it."""
    campaign = home / "campaigns" / "0001"
    reports = read_lines(campaign / "rounds.jsonl")
    assert [report["round"] for report in reports] == list(range(1, ROUNDS + 1))
    vector = read_arrays(campaign / "checkpoint.safetensors")[0]["vector"]
    gate = read_document(campaign / "gate.json")
    assert gate["promoted"]
    return vector.tobytes(), [report["model_after"] for report in reports], str(gate["candidate"])


@pytest.fixture(scope="module")
def unmoved(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[str], str]:
    home = tmp_path_factory.mktemp("unmoved")
    leg("embedded", home, ROUNDS, free_port())
    return ended(home)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_there_and_back(one: str, other: str, unmoved: tuple[bytes, list[str], str], tmp_path: Path) -> None:
    try:
        machines_of(other).need()
    except MissingPackageError as error:
        pytest.skip(str(error))
    python_with(one)
    home, port = tmp_path / "home", free_port()
    for last, engine in enumerate((one, other, one), 1):
        leg(engine, home, last, port)
        assert len(read_lines(home / "campaigns" / "0001" / "rounds.jsonl")) == last
    assert ended(home) == unmoved
