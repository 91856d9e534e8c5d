"""Kill -9 of each role in each phase of a masked round: the same bits, and no mask that serves twice.

Real processes over mutual TLS, on each engine of this environment whose aggregator is a process of ours.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.federation.engines.remote.striker import MASKED
from tests.federation.engines.remote.test_real_processes import ENGINES

from cryofed.disk.arrays import read_arrays
from cryofed.disk.lines import read_lines
from cryofed.errors import CryoFedError, FederationError, MissingPackageError
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules
from cryofed.federation.agreement.plan_file import commented_plan, read_plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.engines.deployment import Deployment, deployment_of
from cryofed.federation.engines.remote import processes
from cryofed.federation.releases.store import first_release
from cryofed.federation.running import make_ready, run_next
from cryofed.learning.learner import initial_vector
from cryofed.scoring.calibration import UNKNOWN

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(900)]

NAMES = ("site-1", "site-2", "site-3")
PHASES = ("train", "offer", "mask", "open")
PLAN = Plan(
    name="kills",
    profile="masked",
    rounds=RoundRules(count=len(PHASES), min_updates=3, deadline_s=300.0, grace_s=120.0, retries=5),
    training=LocalTraining(steps=1, batch=32),
    guard=GuardRules(max_norm=2.0),
    sites=tuple(EnrolledSite(name=name, max_examples=2000) for name in NAMES),
)


@pytest.fixture(scope="module")
def undisturbed(
    libraries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Path], bytes]:
    """The libraries, and what the rounds come to where nobody dies: in one process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    sites = tuple(replace(site, library=str(libraries[site.name])) for site in PLAN.sites)
    (folder / "plan.toml").write_text(commented_plan(replace(PLAN, engine="embedded", sites=sites)))
    first_release(folder / "home" / "releases", initial_vector(0), UNKNOWN, {"origin": "untrained"})
    run_next(make_ready(folder / "plan.toml", home=folder / "home"))
    return libraries, ended_at(folder / "home")


def ended_at(home: Path) -> bytes:
    return read_arrays(home / "campaigns" / "0001" / "checkpoint.safetensors")[0]["vector"].tobytes()


@pytest.fixture(params=ENGINES)
def deployment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    found = deployment_of(str(request.param))
    try:
        found.machines.need()  # type: ignore[union-attr]  # every engine of real machines says what it lacks
    except MissingPackageError as error:
        pytest.skip(str(error))  # it names the extra that is missing
    root = Path(__file__).parents[4]
    paths = [str(root / "src"), str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CRYOFED_LEARNER", "tests.federation.engines.remote.striker")
    return found


@contextmanager
def kept_alive(deployment: Deployment, sites: Path) -> Iterator[None]:
    """A site that has died is started again, as systemd would."""
    end = threading.Event()

    def watch() -> None:
        while not end.wait(0.5):
            for name in NAMES:
                kit = sites / name / "kit"
                if (kit / processes.MARK).exists() and not processes.running(kit) and not end.is_set():
                    with suppress(CryoFedError):
                        deployment.machines.start_site(sites / name)  # type: ignore[union-attr]  # see above

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        end.set()
        watching.join(120)


def finished(deployment: Deployment, folder: Path, libraries: dict[str, Path]) -> list[str]:
    """Run to the end, again where a line says so; the lines."""
    home, lines = folder / PLAN.name, []
    agreed = read_plan(folder / "plan.toml")
    first_release(home / "releases", initial_vector(0), UNKNOWN, {"origin": "untrained"})
    with deployment.here(agreed, libraries, home) as running, kept_alive(deployment, home / "sites"):
        for _ in range(4):
            try:
                deployment.run(running, folder / "plan.toml", home)
                break
            except FederationError as error:
                lines.append(str(error))
                time.sleep(5)
        else:
            raise AssertionError(lines)
    return lines


@pytest.mark.parametrize("role", ["aggregator", "site"])
def test_killed_in_every_phase_it_ends_at_the_same_bits(
    deployment: Deployment,
    role: str,
    tmp_path: Path,
    undisturbed: tuple[dict[str, Path], bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / PLAN.name
    own = {"aggregator": home / deployment.name / "aggregator", "site": home / "sites" / "site-2" / "kit"}
    strikes = [
        {"site": "site-2", "round": number, "task": task, "victim": str(own[role])}
        for number, task in enumerate(PHASES, 1)
    ]
    (tmp_path / "strikes.json").write_text(json.dumps(strikes))
    monkeypatch.setenv("CRYOFED_TEST_STRIKES", str(tmp_path / "strikes.json"))
    (tmp_path / "plan.toml").write_text(commented_plan(replace(PLAN, engine=deployment.name)))
    lines = finished(deployment, tmp_path, undisturbed[0])
    assert all((tmp_path / f"strikes.{index}").exists() for index in range(len(PHASES)))  # each one fell
    assert all("must still open the mask" in line for line in lines)
    assert len(read_lines(home / "campaigns" / "0001" / "rounds.jsonl")) >= len(PHASES)
    assert ended_at(home) == undisturbed[1]
    for name in NAMES:
        ledger = read_lines(home / "sites" / name / "work" / "masks" / "ledger.jsonl")
        steps = Counter((row["call"], row["step"]) for row in ledger)
        assert set(steps.values()) == {1}  # an attempt is begun, released and opened once at most
        opened = Counter(row["round_number"] for row in ledger if row["step"] == "opened")
        assert opened == dict.fromkeys(range(1, len(PHASES) + 1), 1)
        made = read_lines(home / "sites" / name / MASKED)
        assert (
            len(made)
            == len({row["words"] for row in made})
            == sum(row["step"] == "released" for row in ledger)
        )
