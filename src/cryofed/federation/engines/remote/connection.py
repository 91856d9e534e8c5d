"""Try the way to the aggregator before an engine does: engines only ever say that they are still waiting."""

from __future__ import annotations

import contextlib
import errno
import random
import socket
import ssl
import time

from cryofed.errors import FederationError
from cryofed.trust.identity import Identity

SECONDS = 5.0


def check_port_free(port: int, patience_s: float = 3.0) -> None:
    """Refuse a port that something else listens on.

    A killed process still listens until the last of its threads has ended; that is waited for.

    Args:
        port: of this machine.
        patience_s: how long it may be in use, in seconds.

    Raises:
        FederationError: something listens there, or this user may not.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            with socket.socket() as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("", port))
            return
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            in_use = error.errno == errno.EADDRINUSE
            if not in_use or time.monotonic() >= until:
                why = "in use" if in_use else "not allowed for this user"
                state = f"port {port} is {why} on this machine"
                raise FederationError(
                    f"{state}; stop what uses it, or set network.port in the plan"
                ) from error
        time.sleep(0.05)


def free_port() -> int:
    """A port that nothing listens on.

    The system gives connections that go out a port from 32768 up, also while a process that listened there is
    started again; and two programs that look at once hardly choose the same one.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("", port))
            return port
    raise FederationError("no port is free on this machine")


def check_aggregator(identity: Identity, host: str, port: int) -> None:
    """Shake hands with the aggregator by this identity, TLS 1.3 and both certificates included.

    Raises:
        FederationError: one line that says which side must do what.
    """
    where = f"{host}:{port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(identity.authority)
    context.load_cert_chain(identity.certificate, identity.key)
    context.set_alpn_protocols(["h2"])
    try:
        plain = socket.create_connection((host, port), SECONDS)
    except OSError as error:
        raise FederationError(
            f"the aggregator at {where} does not answer ({error.strerror or error}); "
            "ask the coordinator whether it runs, and check host, port and firewall"
        ) from error
    with contextlib.closing(plain):
        try:
            with context.wrap_socket(plain, server_hostname=host) as secure:
                # In TLS 1.3 the aggregator judges our certificate after the handshake: read its first bytes.
                secure.settimeout(SECONDS)
                secure.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
                if not secure.recv(9):
                    raise FederationError(f"the aggregator at {where} closed the connection: {_REFUSED}")
        except ssl.SSLCertVerificationError as error:
            raise FederationError(
                f"the aggregator at {where} shows a certificate of another federation or name "
                f"({error.verify_message}); compare host and authority with your invitation"
            ) from error
        except ssl.SSLError as error:
            reason = (error.reason or str(error)).lower().replace("_", " ")
            if "wrong version number" in reason or "record layer" in reason:
                raise FederationError(f"{where} does not speak TLS; compare host and port") from error
            if "protocol version" in reason or "unsupported protocol" in reason:
                raise FederationError(f"{where} does not speak TLS 1.3; update what runs there") from error
            raise FederationError(f"the aggregator at {where} refused us ({reason}): {_REFUSED}") from error
        except (TimeoutError, OSError) as error:
            raise FederationError(f"the aggregator at {where} broke off ({error}): {_REFUSED}") from error


_REFUSED = "this certificate is not of its federation, or has expired there; join or renew"
