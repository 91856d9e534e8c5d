"""Serve one local page on the loopback interface until the person stops it."""

from __future__ import annotations

import secrets
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cryofed.errors import InputError
from cryofed.selection.look import PALETTE
from cryofed.web.gate import Gate

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An address that opens the page once, and the socket that answers there."""

    listener: socket.socket
    token: str

    @property
    def port(self) -> int:
        """The port that was given, or found where 0 was asked for."""
        return int(self.listener.getsockname()[1])

    @property
    def address(self) -> str:
        """What the person opens: valid for one browser."""
        return self.at(self.token)

    def at(self, token: str) -> str:
        """The address with another token."""
        return f"http://127.0.0.1:{self.port}/?token={token}"


def open_port(port: int = 0) -> Opening:
    """Take a port of the loopback interface; 0 takes any free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            "--port", str(port), "cannot be used", "leave it out, any free one will do"
        ) from error
    return Opening(listener=listener, token=secrets.token_urlsafe(24))


def new_app(page: str) -> FastAPI:
    """An application that serves `static/<page>` at `/` and the rest of `static/` beside it."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/", response_class=FileResponse)
    def start() -> Path:
        return STATIC / page

    @app.get("/palette.css", response_class=FileResponse)
    def palette() -> Path:
        return PALETTE

    @app.get("/favicon.ico")
    def icon() -> Response:
        return Response(status_code=204)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def guarded(app: FastAPI, opening: Opening) -> Gate:
    """The application behind the gate of this address."""
    return Gate(app, opening.port, opening.token)


def server(app: ASGIApp) -> uvicorn.Server:
    """A quiet server; run it with the opening's socket."""
    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
    )
    return uvicorn.Server(settings)


def serve(
    app: FastAPI, *, port: int = 0, browser: bool = True, say: Callable[[str], None] | None = None
) -> None:
    """Serve until Ctrl-C. Prints the address, and opens it unless `browser` is False.

    Enter in the terminal prints a fresh address: whoever spent the first one in another browser, or closed
    it, is not locked out of a page that runs.
    """
    opening = open_port(port)
    gate = guarded(app, opening)
    running = server(gate)
    (say or _say)(opening.address)
    if sys.stdin is not None and sys.stdin.isatty():
        Thread(target=renew_at_enter, args=(gate, opening, sys.stdin, say or _say), daemon=True).start()
    if browser and not webbrowser.open(opening.address):
        print("No browser could be started; open the address above.", file=sys.stderr)
    try:
        running.run(sockets=[opening.listener])
    except KeyboardInterrupt:  # the usual way to end
        print("Closed.", file=sys.stderr)
    finally:
        opening.listener.close()


def renew_at_enter(gate: Gate, opening: Opening, keys: Iterable[str], say: Callable[[str], None]) -> None:
    """A fresh one-time address for every line of the terminal; the one before is then worth nothing."""
    for _ in keys:
        token = secrets.token_urlsafe(24)
        gate.renew(token)
        say(opening.at(token))


def _say(address: str) -> None:
    hint = "Open this address in one browser on this machine. Enter prints a fresh one, Ctrl-C ends."
    print(f"{address}\n{hint}", flush=True)
