"""Only the person who started the page gets in."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from cryofed.errors import InputError
from cryofed.web.gate import Gate
from cryofed.web.server import new_app, open_port, renew_at_enter

HOME = "http://127.0.0.1:8123"


@pytest.fixture
def client() -> TestClient:
    app = new_app("review.html")

    @app.post("/change")
    def change() -> str:
        return "changed"

    return TestClient(Gate(app, 8123, "secret-token"), base_url=HOME)


def enter(client: TestClient) -> None:
    assert client.get("/?token=secret-token").status_code == 200


def test_without_the_token_nothing_is_served(client: TestClient) -> None:
    for path in ("/", "/static/look.css", "/?token=guess", "/?token="):
        assert client.get(path).status_code == 403


def test_the_token_is_exchanged_for_a_cookie_that_scripts_and_other_sites_cannot_use(
    client: TestClient,
) -> None:
    answer = client.get("/?token=secret-token")
    assert "url=/" in answer.text  # the page sends itself on, without the token in its address
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "secret-token" not in cookie
    assert client.get("/").status_code == 200


def test_the_token_works_once(client: TestClient) -> None:
    enter(client)
    client.cookies.clear()
    assert client.get("/?token=secret-token").status_code == 403


def test_the_browser_that_is_in_may_open_the_address_again(client: TestClient) -> None:
    enter(client)
    enter(client)


def test_enter_in_the_terminal_lets_another_browser_in_by_a_fresh_address(client: TestClient) -> None:
    enter(client)
    held = dict(client.cookies)
    gate, opening, said = client.app, open_port(), []
    assert isinstance(gate, Gate)
    renew_at_enter(gate, opening, ["\n", "\n"], said.append)
    opening.listener.close()
    tokens = [address.partition("token=")[2] for address in said]
    client.cookies.clear()
    assert client.get(f"/?token={tokens[0]}").status_code == 403  # Enter once more has replaced it
    assert client.get(f"/?token={tokens[1]}").status_code == 200
    client.cookies.clear()
    assert client.get(f"/?token={tokens[1]}").status_code == 403  # each works once
    client.cookies.update(held)
    assert client.get("/").status_code == 200  # who is in stays in


@pytest.mark.parametrize("host", ["evil.example:8123", "127.0.0.1:9999", "127.0.0.1.evil.example:8123", ""])
def test_another_host_name_is_refused_even_with_the_cookie(client: TestClient, host: str) -> None:
    enter(client)  # DNS rebinding: the name of a foreign page points to this machine
    assert client.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://127.0.0.1:9999"])
def test_changes_from_another_origin_are_refused(client: TestClient, origin: str | None) -> None:
    enter(client)
    headers = {"origin": origin} if origin else {}
    assert client.post("/change", headers=headers).status_code == 403
    assert client.post("/change", headers={"origin": HOME}).json() == "changed"


def test_no_inline_script_and_nothing_from_outside(client: TestClient) -> None:
    enter(client)
    for path in ("/", "/static/theme.js", "/?token=x"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy


def test_files_outside_the_static_folder_are_not_served(client: TestClient) -> None:
    enter(client)
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/server.py", "/docs", "/openapi.json"):
        assert client.get(path).status_code == 404


def test_a_port_in_use_is_one_line_with_a_remedy() -> None:
    first = open_port()
    with pytest.raises(InputError, match="cannot be used; leave it out"):
        open_port(first.port)
    first.listener.close()


def test_only_the_loopback_interface_listens() -> None:
    opening = open_port()
    assert opening.listener.getsockname()[0] == "127.0.0.1"
    opening.listener.close()
