"""Real processes: what must not get in does not, and the side that can act reads one line."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.federation.engines.flare.founding import MACHINES, Founded, found
from tests.federation.engines.flare.real import Federation, once_after, until
from tests.federation.engines.remote.expired import expire

from cryofed.errors import FederationError, InputError
from cryofed.federation.engines.flare.coordinator.desk import SITE_APP, FlareDesk, write_job
from cryofed.federation.engines.flare.files import EXECUTOR
from cryofed.federation.engines.flare.machines import coordinator_name
from cryofed.federation.engines.remote import connection, processes
from cryofed.federation.engines.remote.connection import free_port
from cryofed.federation.engines.remote.settings import SiteSettings, write_settings
from cryofed.trust.identity import Identity

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def whole(request: pytest.FixtureRequest) -> None:
    if "running" in request.fixturenames:
        request.getfixturevalue("running").whole()


@pytest.fixture
def desk(running: Federation) -> Iterator[FlareDesk]:
    with closing(running.desk()) as one:
        yield one


def ended(one: FlareDesk, job: Path) -> tuple[str, str]:
    """Submit, wait for the end; FLARE's status and its reasons."""
    job_id = one.hand_in(job)
    assert until(lambda: one.status(job_id).startswith("FINISHED"), 60, 0.5)
    return one.status(job_id), json.dumps(one.meta(job_id).get("job_deploy_detail"))


def with_code(folder: Path) -> Path:
    job = write_job(folder, "evil", ["alpha", "beta"])
    for config in job.glob("*/config"):
        custom = config.with_name("custom")
        custom.mkdir()
        (custom / "evil.py").write_text("X = 1\n")
    return job


def test_a_job_that_ships_code_is_refused_by_the_aggregator(desk: FlareDesk, tmp_path: Path) -> None:
    status, reasons = ended(desk, with_code(tmp_path / "job"))
    assert status == "FINISHED:FAILED_TO_RUN"
    assert "BYOC not permitted" in reasons


def test_a_job_that_ships_code_is_refused_by_every_site_even_if_the_aggregator_allows_it(
    running: Federation, tmp_path: Path
) -> None:
    rights = running.home.aggregator / "local" / "authorization.json"
    kept = rights.read_text()
    processes.stop([running.home.aggregator])
    try:
        rights.write_text(kept.replace('"byoc": "none"', '"byoc": "any"'))
        running.start_aggregator()
        with closing(running.desk()) as desk:
            assert until(lambda: {"alpha", "beta"} <= set(desk.heard_of()), 60, 0.5)
            status, reasons = ended(desk, with_code(tmp_path / "job"))
    finally:
        processes.stop([running.home.aggregator])
        rights.write_text(kept)
    assert status == "FINISHED:FAILED_TO_RUN"
    for site in ("alpha", "beta"):
        assert f"{site}: NVFLARE_ERROR: BYOC not permitted" in reasons


def test_a_job_that_names_another_class_is_refused_at_the_site(
    running: Federation, desk: FlareDesk, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    job = write_job(tmp_path / "job", "other-class", ["alpha", "beta"])
    config = job / f"{SITE_APP}alpha" / "config" / "config_fed_client.json"
    text = config.read_text()
    assert EXECUTOR in text
    changed = json.loads(text)
    changed["executors"][0]["executor"] = {"path": "subprocess.Popen", "args": {"args": ["touch", str(mark)]}}
    config.write_text(json.dumps(changed))
    job_id = desk.hand_in(job)
    log = running.sites["alpha"].kit / job_id / "log.txt"
    assert until(lambda: log.exists() and "not in allow_list" in log.read_text(), 60)
    assert "Component 'subprocess.Popen'" in log.read_text()
    assert not mark.exists()
    desk.abort(job_id)


def clients(kit: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(kit / "startup" / "rootCA.pem")
    context.load_cert_chain(kit / "startup" / "client.crt", kit / "startup" / "client.key")
    context.set_alpn_protocols(["h2"])
    return context


def speaks(port: int, context: ssl.SSLContext | None) -> bool:
    """Whether the aggregator says a word to us."""
    hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            plain.settimeout(3)
            if context is None:
                plain.sendall(hello)
                return bool(plain.recv(9))
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                secure.sendall(hello)
                return bool(secure.recv(9))
    except (OSError, ssl.SSLError):
        return False


def test_only_tls_1_3_with_our_certificate_is_heard(running: Federation, founded: Founded) -> None:
    port, kit = running.plan.network.port, running.sites["alpha"].kit
    assert speaks(port, clients(kit))  # all that follows differs in one thing
    assert not speaks(port, None)
    old = clients(kit)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert not speaks(port, old)
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.load_verify_locations(kit / "startup" / "rootCA.pem")
    nobody.set_alpn_protocols(["h2"])
    assert not speaks(port, nobody)
    stranger = clients(founded.sites["site-1"].kit)
    stranger.load_verify_locations(kit / "startup" / "rootCA.pem")
    assert not speaks(port, stranger)


def test_a_site_that_is_not_in_the_registry_is_not_let_in(running: Federation) -> None:
    processes.stop([running.sites["delta"].kit])
    registry = running.home.registry
    kept = registry.read_text()
    try:
        rows = [row for row in json.loads(kept) if row["name"] != "delta"]
        registry.write_text(json.dumps(rows))
        with pytest.raises(FederationError, match=r"does not let delta in: .*ask the coordinator"):
            running.start_site("delta")
    finally:
        registry.write_text(kept)
    last = (running.home.folder / "refusals.jsonl").read_text().splitlines()[-1]
    assert "delta is not in the registry; approve its request first" in last
    assert not processes.running(running.sites["delta"].kit)


def test_a_site_with_another_version_of_cryofed_is_not_let_in(
    running: Federation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.stop([running.sites["delta"].kit])
    (tmp_path / "sitecustomize.py").write_text("import cryofed\ncryofed.__version__ = '0.0.9'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(FederationError, match="runs another version of cryofed"):
        running.machines.start_site(running.sites["delta"].folder)
    last = (running.home.folder / "refusals.jsonl").read_text().splitlines()[-1]
    assert "delta runs cryofed 0.0.9, the aggregator" in last


def test_an_expired_certificate_is_refused_on_both_sides(running: Federation, tmp_path: Path) -> None:
    own = Identity(tmp_path / "expired")
    shutil.copytree(running.sites["delta"].identity.folder, own.folder)
    expire(own.certificate, running.home.authority)
    with pytest.raises(InputError, match=r"expired on 20.*renew it"):
        own.check()
    with pytest.raises(
        FederationError,
        match=r"(refused us|closed the connection|broke off).*has expired there; join or renew",
    ):
        connection.check_aggregator(own, "localhost", running.plan.network.port)


def test_two_federations_on_one_host_do_not_collide(
    running: Federation, desk: FlareDesk, tmp_path: Path
) -> None:
    # The other one has a port of its own for its coordinator, too.
    other = found(tmp_path, name="other", sites=("site-1",), admin_port=free_port())
    library = tmp_path / "library.db"
    library.touch()
    settings = SiteSettings(name="site-1", organization="a", library=str(library))
    write_settings(other.sites["site-1"], settings)
    try:
        MACHINES.start(other.plan, other.federation)
        MACHINES.start_site(other.sites["site-1"].folder)
        assert "site-1" not in desk.heard_of()
        with closing(
            FlareDesk(other.home.coordinator, other.home.aggregator, coordinator_name(other.plan))
        ) as theirs:
            assert set(theirs.heard_of()) == {"site-1"}
        kit = other.home.coordinator
        for port in MACHINES.ports(other.plan):
            assert speaks(port, clients(kit))
            assert not speaks(port, clients(running.sites["alpha"].kit))
        with pytest.raises(FederationError, match="certificate of another federation or name"):
            connection.check_aggregator(
                other.sites["site-1"].identity, "localhost", running.plan.network.port
            )
    finally:
        processes.stop([other.home.aggregator, other.sites["site-1"].kit])


def test_starting_says_what_is_missing(founded: Founded, tmp_path: Path) -> None:
    site = founded.sites["site-2"]
    write_settings(site, SiteSettings(name="site-2", organization="a", library="none.db"))
    with pytest.raises(InputError, match=r"library: no file .*none\.db; make one: cryofed harvest"):
        MACHINES.start_site(site.folder)
    (site.folder / "none.db").touch()
    with pytest.raises(FederationError, match=r"does not answer .*ask the coordinator whether it runs"):
        MACHINES.start_site(site.folder)
    with pytest.raises(InputError, match="join a federation first"):
        MACHINES.start_site(tmp_path)
    with (
        socket.create_server(("", founded.plan.network.port)),
        pytest.raises(FederationError, match=r"is in use on this machine; .*network\.port"),
    ):
        MACHINES.start(founded.plan, founded.federation)


@pytest.mark.timeout(900)
def test_a_revoked_site_is_out_within_its_round_and_comes_back_with_a_new_key_only(
    running: Federation,
) -> None:
    trial = running.trial("revoked", seconds=1.0, count=4, deadline_s=60, grace_s=60)
    machines, plan, site = running.machines, running.plan, running.sites["gamma"]
    trial.run(once_after(trial, 1, lambda: machines.revoke(plan, running.federation, "gamma")))
    assert "gamma" in trial.reports[0]["accepted"]
    assert "gamma" not in trial.reports[-1]["accepted"]
    assert sorted(trial.reports[-1]["accepted"]) == ["alpha", "beta", "delta"]
    running.home.refusals.unlink(missing_ok=True)
    machines.stop_site(site.folder)
    with pytest.raises(FederationError, match="does not let gamma in"):
        running.start_site("gamma")
    assert "gamma was revoked" in running.home.refusals.read_text()
    stolen = Identity(site.folder.with_name("stolen"))
    shutil.copytree(site.identity.folder, stolen.folder)
    request, _ = machines.ask(running.home.invitation, site.folder, "gamma", "gamma", renew=True)
    answer = machines.admit(plan, running.federation, request, lambda _: True, renew=True)
    machines.accept(answer, site.folder)
    running.start_site("gamma")
    # The thief of the old key comes by the same name, with a certificate that is good for weeks.
    machines.stop_site(site.folder)
    fresh = site.identity.folder.rename(site.folder / "fresh")
    shutil.copytree(stolen.folder, site.identity.folder)
    running.home.refusals.unlink(missing_ok=True)
    with pytest.raises(FederationError, match="does not let gamma in"):
        running.start_site("gamma")
    assert "not in the registry, or not any more" in running.home.refusals.read_text()
    shutil.rmtree(site.identity.folder)
    fresh.rename(site.identity.folder)
    running.start_site("gamma")
