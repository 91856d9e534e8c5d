"""Let in the one person who started the page, and nobody else: host, token, cookie, headers.

Loopback alone is not enough: every program and every web page on this machine can reach it. A page
elsewhere may rebind its own name to 127.0.0.1 (so the Host header is checked), post a form (so Origin is
checked) or guess the port (so a token is asked for, once, and exchanged for a cookie).
"""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
# A page that sends the browser on by itself: the next request then comes from this very site, so that the
# strict cookie travels even when the address was clicked in another page.
ENTER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>CryoFed</title>
<meta http-equiv="refresh" content="0;url={path}"><p><a href="{path}">Open</a></p></html>"""
REFUSED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>CryoFed</title>
<h1>Not this way</h1><p>{why}</p></html>"""

USED = "This address works once, in one browser. Press Enter in the terminal for a fresh one."


class Gate:
    """ASGI middleware in front of a local page. Owns the token and the cookie that replaces it."""

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        self.app = app
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.cookie_name = f"cryofed_{port}"  # cookies ignore the port, so the name carries it
        self._token: str | None = token
        self._session = secrets.token_urlsafe(32)

    def renew(self, token: str) -> None:
        """Let one more browser in, by this token; those that are in stay in."""
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer strangers here; pass on what comes from the page."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        # Anything else (a web socket) is not served: closing without a word refuses it.

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if why := self._stranger(scope["method"], headers):
            await reply(send, 403, REFUSED.format(why=why))
            return
        known = self._known(headers.get("cookie", ""))
        offered = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if offered and (known or self._spend(offered)):
            cookie = f"{self.cookie_name}={self._session}; HttpOnly; SameSite=Strict; Path=/"
            await reply(send, 200, ENTER.format(path="/"), {"set-cookie": cookie})
        elif known:
            await self.app(scope, receive, with_headers(send))
        else:
            await reply(send, 403, REFUSED.format(why=USED))

    def _stranger(self, method: str, headers: dict[str, str]) -> str:
        host = headers.get("host", "")
        if host not in self.hosts:
            return "This page answers to 127.0.0.1 and localhost only."
        if method not in ("GET", "HEAD") and headers.get("origin") != f"http://{host}":
            return "Changes are taken from this page only."
        return ""

    def _known(self, cookies: str) -> bool:
        try:
            held = SimpleCookie(cookies).get(self.cookie_name)
        except CookieError:
            return False
        return held is not None and hmac.compare_digest(held.value, self._session)

    def _spend(self, offered: str) -> bool:
        if self._token is None or not hmac.compare_digest(offered.encode(), self._token.encode()):
            return False
        self._token = None
        return True


def with_headers(send: Send) -> Send:
    """The same, with our headers on every answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *encoded(HEADERS)]
        await send(message)

    return sending


def encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI wants them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def reply(send: Send, status: int, html: str, extra: dict[str, str] | None = None) -> None:
    """Answer with a small page of our own."""
    headers = (
        {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"} | HEADERS | (extra or {})
    )
    await send({"type": "http.response.start", "status": status, "headers": encoded(headers)})
    await send({"type": "http.response.body", "body": html.encode()})
