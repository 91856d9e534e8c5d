"""What a person reads when the way to the aggregator is not what it should be: one line, and what to do."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.federation.engines.flare.founding import Founded, found

from cryofed.errors import FederationError, InputError
from cryofed.federation.engines.remote import connection
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.trust.certificates import check_chain, load_certificates
from cryofed.trust.identity import Identity


@contextmanager
def listening(context: ssl.SSLContext | None, answer: bytes = b"x" * 64) -> Iterator[int]:
    """Something on a port that speaks TLS as `context` says, or plain text."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            plain, _ = server.accept()
            with plain, context.wrap_socket(plain, server_side=True) if context else plain as one:
                one.recv(10)
                one.sendall(answer)
                one.recv(100)
        except OSError:
            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(server.getsockname()[1])
    finally:
        server.close()
        thread.join(5)


def aggregators(one: Founded) -> ssl.SSLContext:
    own = one.home.identity
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    context.load_verify_locations(own.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def site_1(one: Founded) -> Identity:
    return one.sites["site-1"].identity


def test_the_right_aggregator_passes(founded: Founded) -> None:
    with listening(aggregators(founded)) as port:
        connection.check_aggregator(site_1(founded), "localhost", port)


def test_nobody_there(founded: Founded) -> None:
    with pytest.raises(FederationError, match=r"does not answer .*ask the coordinator whether it runs"):
        connection.check_aggregator(site_1(founded), "localhost", connection.free_port())


def test_plain_text_there(founded: Founded) -> None:
    with listening(None) as port, pytest.raises(FederationError, match="does not speak TLS; compare host"):
        connection.check_aggregator(site_1(founded), "localhost", port)


def test_old_tls_there(founded: Founded) -> None:
    context = aggregators(founded)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with listening(context) as port, pytest.raises(FederationError, match=r"does not speak TLS 1\.3"):
        connection.check_aggregator(site_1(founded), "localhost", port)


def test_the_aggregator_of_another_federation(founded: Founded, tmp_path: Path) -> None:
    other = found(tmp_path, sites=())
    with (
        listening(aggregators(other)) as port,
        pytest.raises(FederationError, match="certificate of another federation or name"),
    ):
        connection.check_aggregator(site_1(founded), "localhost", port)


def test_the_aggregator_refuses_a_site_of_another_federation(founded: Founded, tmp_path: Path) -> None:
    other = found(tmp_path, sites=("site-1",))
    site_1(other).authority.write_bytes(site_1(founded).authority.read_bytes())
    with (
        listening(aggregators(founded)) as port,
        pytest.raises(FederationError, match=r"refused us .*join or renew"),
    ):
        connection.check_aggregator(site_1(other), "localhost", port)


def test_an_expired_certificate_names_the_day_and_how_to_renew(founded: Founded) -> None:
    own = site_1(founded)
    leaf, root = load_certificates(own.certificate, "")[0], load_certificates(own.authority, "")[0]
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=91)  # valid for 90
    with pytest.raises(InputError, match=r"expired on 20.*renew it"):
        check_chain(leaf, root, own.certificate, later)
    earlier = later - datetime.timedelta(days=100)
    with pytest.raises(InputError, match="set this machine's clock"):
        check_chain(leaf, root, own.certificate, earlier)


def test_another_federations_certificate_is_refused_before_anything_starts(
    founded: Founded, tmp_path: Path
) -> None:
    other = found(tmp_path, sites=("site-1",))
    site_1(other).certificate.write_bytes(site_1(founded).certificate.read_bytes())
    with pytest.raises(InputError, match="not issued by this federation's authority"):
        site_1(other).check()


def test_a_site_without_certificate_says_to_join_again(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="join the federation again"):
        SiteHome(tmp_path).identity.check()


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(FederationError, match=f"port {port} is in use on this machine; .*network.port"):
            connection.check_port_free(port, patience_s=0.0)
    connection.check_port_free(port, patience_s=0.0)


def test_a_port_that_is_just_given_up_is_waited_for() -> None:
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        giving_up = threading.Timer(0.3, server.close)
        giving_up.start()
        connection.check_port_free(port)
    giving_up.join()
