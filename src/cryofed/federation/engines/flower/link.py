"""The aggregator's server: of Flower's interface the seven paths that sites need, over mutual TLS 1.3.

Flower reads a request whole before it asks who sends it, and believes a message when it names its sender. So
what is too long, too late or not the sender's own is refused here, before or after Flower's own check.
"""

from __future__ import annotations

import asyncio
import shutil
import ssl
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware

from cryofed.errors import FederationError
from cryofed.federation.engines.flower import inside
from cryofed.federation.engines.flower.door import LIFE, VERSION, Door
from cryofed.trust.identity import Identity

PATHS = frozenset(
    f"/v1/fleet/{name}"
    for name in (
        "activate-node",
        "deactivate-node",
        "send-node-heartbeat",
        "pull-messages",
        "push-messages",
        "pull-object",
        "push-object",
    )
)
LARGEST_BODY = inside.PIECE + (1 << 20)  # bytes of a request: a piece, or a message's tree of objects
AHEAD_S, BEHIND_S = inside.SYSTEM_TIME_TOLERANCE, inside.TIMESTAMP_TOLERANCE + inside.SYSTEM_TIME_TOLERANCE


class Link:
    """Owns Flower's state, its store on the disk and the server, which runs in a thread."""

    def __init__(self, folder: Path, identity: Identity, registry: Path, refusals: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # objects of a process that was killed
        folder.mkdir(mode=0o700, parents=True)
        factory, self.state, self.store = inside.make_state(folder)
        self.folder = folder
        self.door = Door(self.state, registry, refusals)
        self.most_objects = 0  # of a reply; the carrier sets it with each order
        self._identity = identity
        self._app = FastAPI(
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
            middleware=[
                Middleware(Limits),
                Middleware(BaseHTTPMiddleware, dispatch=inside.http_error_translator),
                Middleware(inside.ProtobufTranslationMiddleware),
                Middleware(inside.NodeAuthMiddleware),
                Middleware(BaseHTTPMiddleware, dispatch=self._judge),
            ],
        )
        self._app.state.linkstate_factory = factory
        self._app.state.enable_supernode_auth = True  # nobody registers himself
        self._app.include_router(inside.fleet_router)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def open(self, host: str, port: int) -> int:
        """Serve; the port, which the system chooses for 0.

        Raises:
            FederationError: it cannot listen there.
        """
        config = uvicorn.Config(
            self._app, host=host, port=port, log_config=None, log_level="error", access_log=False,
            ws="none", lifespan="off", timeout_keep_alive=30, timeout_graceful_shutdown=1,
            ssl_keyfile=self._identity.key,
            ssl_certfile=str(self._identity.certificate), ssl_ca_certs=str(self._identity.authority),
            ssl_cert_reqs=ssl.CERT_REQUIRED,
        )  # fmt: skip
        config.load()
        assert config.ssl is not None
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._serve, args=(self._server,), daemon=True)
        self._thread.start()
        while self._thread.is_alive() and not self._server.started:
            time.sleep(0.02)
        if not self._server.started:
            raise FederationError(
                f"the aggregator cannot listen on port {port}; set network.port in the plan"
            )
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    @property
    def serves(self) -> bool:
        """Whether the server's thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Serve no more."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(5)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _serve(server: uvicorn.Server) -> None:
        try:
            server.run()
        except SystemExit:
            return  # a port that is in use; `open` says so

    async def _judge(self, request: Any, call_next: Any) -> Any:
        """After Flower has checked the signature: who may come in, and that a reply is the sender's own."""
        asked = getattr(request.state, "protobuf_request", None)
        if isinstance(asked, inside.ActivateNodeRequest):
            heads = request.headers
            reason = self.door.enter(asked.public_key, heads.get(VERSION, ""), heads.get(LIFE, ""))
            if reason:
                return JSONResponse({"detail": reason}, 403)
        else:
            self.door.refresh()
        if isinstance(asked, inside.PushMessagesRequest) and not self._is_own(asked):
            return JSONResponse({"detail": "not one reply of your own, or too long"}, 403)
        return await call_next(request)

    def _is_own(self, asked: Any) -> bool:
        if len(asked.messages_list) != 1 or len(asked.message_object_trees) != 1:
            return False
        objects = inside.iterate_object_tree(asked.message_object_trees[0])
        if any(number > self.most_objects for number, _ in enumerate(objects, 1)):
            return False
        metadata = asked.messages_list[0].metadata
        return bool(metadata.src_node_id == asked.node.node_id and metadata.reply_to_message_id)


class _Server(uvicorn.Server):
    """Ends the connections of sites that do not: each would hold the loop open, which then fails to close."""

    async def shutdown(self, sockets: Any = None) -> None:
        """Politely first."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)


class Limits:
    """Refuses by a request's head alone: another path, a body that is too long, a clock that is wrong."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, or one of the server's own events."""
        refusal = _refusal(scope) if scope["type"] == "http" else None
        answers = self._app if refusal is None else refusal
        await answers(scope, receive, send)


def _refusal(scope: Any) -> JSONResponse | None:
    heads = dict(scope["headers"])
    if scope["method"] != "POST" or scope["path"] not in PATHS:
        return JSONResponse({"detail": "not here"}, 404)
    length = heads.get(b"content-length", b"")
    if not length.isdigit() or len(length) > 9 or int(length) > LARGEST_BODY:  # the server holds it to that
        return JSONResponse({"detail": f"a request has at most {LARGEST_BODY} bytes"}, 413)
    wrong = clock_words(heads.get(inside.TIMESTAMP_HEADER.lower().encode(), b"").decode("latin-1"))
    return JSONResponse({"detail": wrong}, 401) if wrong else None


def clock_words(signed: str, now: datetime | None = None) -> str:
    """What is wrong with the time at which a request was signed; nothing where Flower would accept it."""
    now = now or datetime.now(UTC)
    try:
        ahead = (datetime.fromisoformat(signed) - now).total_seconds()
    except (ValueError, TypeError):
        return "no time of signing"
    if -BEHIND_S < ahead < AHEAD_S:
        return ""
    how = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}"
    return (
        f"this site's clock is {how} the aggregator's ({now.isoformat(timespec='seconds')}); at most "
        f"{AHEAD_S} s ahead and {BEHIND_S} s behind are accepted: set the clock, best by NTP"
    )
