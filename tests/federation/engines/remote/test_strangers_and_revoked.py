"""Real processes of every engine: strangers at the port stop nobody, and a revoked site is out at once."""

from __future__ import annotations

import re
import resource
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from tests.attacks.test_strangers import GARBAGE, HALF_OPEN
from tests.federation.engines.remote.real import NAMES, REMOTE, Federation

from cryofed.errors import FederationError, MissingPackageError
from cryofed.federation.agreement.agreed import FAILURE_SCHEMA
from cryofed.federation.site.outbox import read_audit

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]

SLOW = 30


@pytest.fixture(scope="module", params=REMOTE)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    engine = str(request.param)
    try:
        federation = Federation(engine, tmp_path_factory.mktemp(engine))
    except MissingPackageError as error:
        pytest.skip(str(error))  # it names the extra that is missing
    yield federation
    federation.close()


def stranger() -> ssl.SSLContext:
    """Speaks TLS, and has no certificate of this federation's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


@contextmanager
def besieged(port: int) -> Iterator[list[int]]:
    """300 connections that say nothing, 30 that say a byte now and then, and garbage without end.

    Yields how often garbage was sent so far, in a list of one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    end, sent = threading.Event(), [0]

    def drip(connection: socket.socket) -> None:
        # The beginning of a handshake that promises more than it says.
        for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x01" * 500:
            with suppress(OSError):
                connection.send(bytes([byte]))
            if end.wait(1.0):
                return

    def throw() -> None:
        while not end.wait(0.02):
            garbage = GARBAGE[sent[0] % len(GARBAGE)]
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as plain:
                plain.settimeout(2)
                if sent[0] % 2:
                    plain.sendall(garbage)
                else:  # within TLS, as far as one without a certificate comes
                    with stranger().wrap_socket(plain) as secure:
                        secure.sendall(garbage)
                        secure.recv(1)
            sent[0] += 1

    with ExitStack() as stack:
        for number in range(HALF_OPEN + SLOW):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            if number >= HALF_OPEN:
                threading.Thread(target=drip, args=(one,), daemon=True).start()
        throwing = threading.Thread(target=throw, daemon=True)
        throwing.start()
        try:
            yield sent
        finally:
            end.set()
            throwing.join(30)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_strangers_at_the_port_do_not_stop_a_round(running: Federation) -> None:
    with besieged(running.plan.network.port) as sent:
        _, reports = running.trial("besieged", seconds=0.5)
    assert sent[0] > 5
    assert [sorted(report["accepted"]) for report in reports] == [sorted(NAMES)] * 3
    _, reports = running.trial("afterwards")
    assert [sorted(report["accepted"]) for report in reports] == [sorted(NAMES)] * 3


def test_a_site_comes_in_past_strangers(running: Federation) -> None:
    running.machines.stop_site(running.sites["beta"].folder)
    with besieged(running.plan.network.port):
        running.start_site("beta")
    _, reports = running.trial("came in")
    assert [sorted(report["accepted"]) for report in reports] == [sorted(NAMES)] * 3


def test_a_word_of_the_sites_own_process_is_in_its_audit(running: Federation) -> None:
    """Its learner has died, so that nobody else can say it."""
    behaviours = dict.fromkeys(NAMES, "honest") | {"gamma": "exits"}
    _, (_, report) = running.trial("dies", behaviours=behaviours, count=2, min_updates=2, grace_s=30.0)
    assert report["lost"] | report["refused"] == {"gamma": "site_crashed"}
    *_, last = read_audit(running.sites["gamma"].audit)
    assert (last.facts["schema"], last.facts["failure"]) == (FAILURE_SCHEMA, "site_crashed")
    assert last.facts["destination"] == f"localhost:{running.plan.network.port}"
    assert not running.sites["alpha"].audit.exists()  # toys write none, and this one did not fail


def test_a_revoked_site_is_out_while_the_aggregator_runs(running: Federation) -> None:
    """It goes on answering; nobody hears it, and it does not come in again."""
    rounds = list[int]()

    def revoke() -> None:
        running.machines.revoke(running.plan, running.federation, "gamma")
        rounds.append(len(running.reports("revoked")))

    tick = running.once_after("revoked", 1, revoke)
    _, reports = running.trial("revoked", tick, seconds=1.0, count=5, min_updates=2)
    assert len(reports) == 5
    assert "gamma" in reports[0]["accepted"]
    assert rounds[0] < 4
    later = reports[rounds[0] + 1 :]  # all but the one that ran
    assert later
    for report in later:
        assert sorted(report["accepted"]) == ["alpha", "beta"]
        assert report["lost"].get("gamma", "revoked") == "revoked"
    running.machines.stop_site(running.sites["gamma"].folder)
    with pytest.raises(FederationError, match="does not let gamma in"):
        running.start_site("gamma")
    assert re.search("revoked|registry", running.home.refusals.read_text().splitlines()[-1])
