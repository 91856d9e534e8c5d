"""A federation in each profile, as real processes over mutual TLS, on each engine of this environment."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.federation.engines.remote.memory import Searching, pieces, updates
from tests.federation.engines.remote.real import REMOTE
from tests.trust.attestation.makers import MEASUREMENT

from cryofed.disk.documents import read_document
from cryofed.disk.lines import read_lines
from cryofed.errors import FederationError, MissingPackageError
from cryofed.federation.aggregator.attested import STANDING
from cryofed.federation.aggregator.campaign import Campaign
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, NetworkRules, Plan, RoundRules
from cryofed.federation.agreement.plan_file import commented_plan, read_plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.engines.deployment import deployment_of
from cryofed.federation.engines.remote.connection import free_port
from cryofed.federation.releases.store import first_release
from cryofed.learning.learner import initial_vector
from cryofed.scoring.calibration import UNKNOWN

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(600)]

NAMES = ("site-1", "site-2", "site-3")
PLAN = Plan(
    name="profiles",
    rounds=RoundRules(count=1, min_updates=3, deadline_s=300.0, grace_s=120.0),
    training=LocalTraining(steps=2, batch=32),
    guard=GuardRules(max_norm=2.0),
    sites=tuple(EnrolledSite(name=name, max_examples=2000) for name in NAMES),
)
HERE = "tests.federation.engines.remote.profile_learner"
SNP = {"snp": {"measurements": [MEASUREMENT.hex()], "require_crl": False}}


@pytest.fixture(params=REMOTE)
def engine(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    try:
        machines = deployment_of(name).machines
        assert machines is not None
        machines.need()  # type: ignore[attr-defined]  # every engine of real machines says what it lacks
    except MissingPackageError as error:
        pytest.skip(str(error))  # it names the extra that is missing
    return name


@pytest.fixture(autouse=True)
def root_of_a_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = rsa.generate_private_key(65537, 2048)
    file = tmp_path / "root.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    root = Path(__file__).parents[4]
    paths = [str(root / "src"), str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("CRYOFED_TEST_CHIP", str(file))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def run(folder: Path, plan: Plan, libraries: dict[str, Path]) -> Campaign:
    home = folder / plan.name
    home.mkdir()
    plan = replace(plan, network=NetworkRules(port=free_port()))
    (folder / "plan.toml").write_text(commented_plan(plan))
    agreed = read_plan(folder / "plan.toml")
    first_release(home / "releases", initial_vector(0), UNKNOWN, {"origin": "untrained"})
    found = deployment_of(plan.engine)
    with found.here(agreed, libraries, home) as running:
        return found.run(running, folder / "plan.toml", home)


def rounds(folder: Path) -> list[dict[str, object]]:
    return read_lines(folder / PLAN.name / "campaigns" / "0001" / "rounds.jsonl")


def searched(folder: Path, plan: Plan, libraries: dict[str, Path]) -> Searching:
    """Run, while the aggregator's memory is searched."""
    home = folder / plan.name
    start = {"start": pieces(initial_vector(0))}  # every aggregator has it: the search does see
    searching = Searching(home / plan.engine / "aggregator", plan, home / "sites", start)
    searching.start()
    try:
        run(folder, plan, libraries)
    finally:
        searching.stop()
    return searching


def test_open_lets_the_aggregator_see_each_update(
    engine: str, tmp_path: Path, libraries: dict[str, Path]
) -> None:
    """So that the search in profile masked means something."""
    if engine == "openfl":  # an answer is in memory for moments: streamed to a file, read once, written down
        pytest.skip("the search cannot be relied on to meet an update in OpenFL's aggregator")
    searching = searched(tmp_path, replace(PLAN, engine=engine), libraries)
    assert {f"{name}, float32" for name in NAMES} <= searching.sought
    assert "start" in searching.found
    assert searching.found & {f"{name}, float32" for name in NAMES}


def test_masked(engine: str, tmp_path: Path, libraries: dict[str, Path]) -> None:
    plan = replace(PLAN, engine=engine, profile="masked")
    searching = searched(tmp_path, plan, libraries)
    (report,) = rounds(tmp_path)
    # Nor was any in the memory of its processes, in any form, at any time.
    assert len(searching.sought) == 1 + 2 * len(NAMES)
    assert searching.looks >= 5
    assert searching.found == {"start"}
    assert report["masked"]["collusion_threshold"] == 1  # type: ignore[index]
    assert set(report["accepted"]) == set(NAMES)  # type: ignore[call-overload]
    # Whatever the aggregator has written, no site's update is in it.
    home = tmp_path / PLAN.name
    kept = b"".join(
        path.read_bytes() for path in home.rglob("*") if path.is_file() and "sites" not in path.parts
    )
    for texts in updates(plan, home / "sites").values():
        assert not any(text in kept for text in texts)
    for name in NAMES:
        file = home / "sites" / name / "work" / "masks" / "update.safetensors"
        assert all(text in file.read_bytes() for text in updates(plan, home / "sites")[f"{name}, float32"])
        audit = (home / "sites" / name / "audit").rglob("*.jsonl")
        assert any("cryofed.sealed/1" in path.read_text() for path in audit)


@pytest.mark.parametrize("profile", ["attested", "attested-masked"])
def test_attested(
    engine: str,
    profile: str,
    tmp_path: Path,
    libraries: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The aggregator proves itself; then with masks as well, and with sites that prove themselves."""
    attestation = {**SNP, "sites": SNP} if profile == "attested-masked" else SNP
    monkeypatch.setenv("CRYOFED_LEARNER", HERE)
    monkeypatch.setenv("CRYOFED_EVIDENCE", f"{HERE}:genuine")
    run(tmp_path, replace(PLAN, engine=engine, profile=profile, attestation=attestation), libraries)
    (report,) = rounds(tmp_path)
    assert set(report["accepted"]) == set(NAMES)  # type: ignore[call-overload]
    assert ("masked" in report) == ("masked" in profile)
    proven = tmp_path / PLAN.name / "campaigns" / "0001" / STANDING
    assert proven.exists() == ("sites" in attestation)
    if proven.exists():
        told = read_document(proven)["sites"]
        assert {name: one["why"] for name, one in told.items()} == dict.fromkeys(NAMES, "")


def test_a_site_that_proves_nothing_is_asked_for_nothing(
    engine: str, tmp_path: Path, libraries: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its chip is a test's, and the aggregator knows the chip makers' roots alone."""
    monkeypatch.setenv("CRYOFED_EVIDENCE", f"{HERE}:genuine")
    plan = replace(PLAN, engine=engine, attestation={"sites": SNP})
    plan = replace(plan, rounds=replace(plan.rounds, retries=0))
    with pytest.raises(FederationError, match="unattested"):
        run(tmp_path, plan, libraries)
    for name in NAMES:
        assert not (tmp_path / PLAN.name / "sites" / name / "work" / "last.answer").exists()
    told = read_document(tmp_path / PLAN.name / "campaigns" / "0001" / STANDING)["sites"]
    assert all("root" in one["why"] for one in told.values())


@pytest.mark.parametrize("learner", [HERE, ""])
def test_an_aggregator_that_proves_nothing_gets_nothing(
    engine: str,
    learner: str,
    tmp_path: Path,
    libraries: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It runs something else; or it is believed by nobody, since sites know the chip makers' roots alone."""
    if learner:
        monkeypatch.setenv("CRYOFED_LEARNER", learner)
    monkeypatch.setenv("CRYOFED_EVIDENCE", f"{HERE}:{'other' if learner else 'genuine'}")
    plan = replace(PLAN, engine=engine, profile="attested", attestation=SNP)
    plan = replace(plan, rounds=replace(plan.rounds, retries=0))
    with pytest.raises(FederationError, match="guard-unattested"):
        run(tmp_path, plan, libraries)
    for name in NAMES:
        work = tmp_path / PLAN.name / "sites" / name / "work"
        assert not (work / "last.answer").exists()
        assert "not proven" in (work / "site.log").read_text()
