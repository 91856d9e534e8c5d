"""The monitor's two requests: the page, and what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse

from cryofed.errors import CryoFedError
from cryofed.federation.agreement.plan import Plan
from cryofed.web.monitor.budget import Budgets
from cryofed.web.monitor.facts import facts, version
from cryofed.web.server import new_app


def monitor_app(home: Path, plan: Plan | None = None) -> FastAPI:
    """The application of one federation's folder. It reads; it can change nothing."""
    app, budgets = new_app("monitor.html"), Budgets()

    @app.exception_handler(CryoFedError)
    def damaged(_: Request, error: CryoFedError) -> Response:
        """A file that cannot be read: the page says which, and asks again."""
        return JSONResponse({"error": str(error)}, status_code=503)

    @app.get("/monitor/facts")
    def read(campaign: int = 0, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        privacy = budgets.of(home)
        tag = f'"{version(home, campaign)}-{hash(str(privacy)):x}"'
        headers = {"etag": tag, "cache-control": "no-cache"}
        if if_none_match == tag:
            return Response(status_code=304, headers=headers)
        return JSONResponse(facts(home, campaign, plan) | {"privacy": privacy}, headers=headers)

    return app
