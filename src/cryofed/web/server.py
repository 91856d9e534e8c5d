"""Serve one local page on the loopback interface until the person stops it."""

from __future__ import annotations

import secrets
import socket
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cryofed.errors import InputError
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
        return f"http://127.0.0.1:{self.port}/?token={self.token}"


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

    @app.get("/favicon.ico")
    def icon() -> Response:
        return Response(status_code=204)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def guarded(app: FastAPI, opening: Opening) -> ASGIApp:
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
    """Serve until Ctrl-C. Prints the address, and opens it unless `browser` is False."""
    opening = open_port(port)
    running = server(guarded(app, opening))
    (say or _say)(opening.address)
    if browser and not webbrowser.open(opening.address):
        print("No browser could be started; open the address above.", file=sys.stderr)
    try:
        running.run(sockets=[opening.listener])
    except KeyboardInterrupt:  # the usual way to end
        print("Closed.", file=sys.stderr)
    finally:
        opening.listener.close()


def _say(address: str) -> None:
    print(f"{address}\nOpen this address in one browser on this machine; Ctrl-C ends.", flush=True)
