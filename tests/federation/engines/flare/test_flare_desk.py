"""The coordinator's session: one that comes too late is closed, for an open one keeps Python from ending."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nvflare", reason="the extra cryofed[flare] is not installed: pip install '.[flare]'")

from cryofed.errors import FederationError
from cryofed.federation.engines.flare.coordinator import desk as talking


class Session:
    def __init__(self) -> None:
        self.closed = threading.Event()

    def get_job_status(self, job: str) -> str:
        return f"status of {job}"

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_login_that_nobody_waits_for_any_more_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    session, arrives = Session(), threading.Event()

    def late(*_: Any) -> Session:
        assert arrives.wait(30)
        return session

    in_time = talking.in_time

    def given_up(action: Any, seconds: float) -> Any:
        try:
            return in_time(action, 0.01)
        except TimeoutError as error:
            raise (KeyboardInterrupt if interrupted else error) from None

    monkeypatch.setattr(talking.inside, "new_session", late)
    monkeypatch.setattr(talking, "in_time", given_up)
    desk = talking.FlareDesk(tmp_path, tmp_path, "coordinator")
    with pytest.raises(KeyboardInterrupt if interrupted else FederationError):
        desk.status("a job")
    monkeypatch.setattr(talking, "in_time", in_time)
    assert not session.closed.is_set()
    arrives.set()
    assert session.closed.wait(30)


def test_a_session_is_kept_between_calls_and_closed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Session] = []
    monkeypatch.setattr(talking.inside, "new_session", lambda *_: opened.append(Session()) or opened[-1])
    desk = talking.FlareDesk(tmp_path, tmp_path, "coordinator")
    assert desk.status("1") == "status of 1"
    assert desk.status("2") == "status of 2"
    desk.close()
    assert [one.closed.is_set() for one in opened] == [True]
