"""What the doorkeeper writes down about those that it does not let in."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("nvflare", reason="the extra cryofed[flare] is not installed: pip install '.[flare]'")

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_exception import NotAuthenticated

from cryofed.federation.engines.flare.aggregator.doorkeeper import MOST, Doorkeeper


def knock(doorkeeper: Doorkeeper, name: str, version: object = "1") -> None:
    peer = SimpleNamespace(get_identity_name=lambda: name, get_prop=lambda _: version)
    context: Any = SimpleNamespace(get_prop=lambda _: None, get_peer_context=lambda: peer)
    with pytest.raises(NotAuthenticated):
        doorkeeper.handle_event(EventType.CLIENT_REGISTER_RECEIVED, context)


def told(tmp_path: Path) -> list[str]:
    return [json.loads(line)["reason"] for line in (tmp_path / "refusals.jsonl").read_text().splitlines()]


def test_a_name_cannot_move_the_cursor_of_who_reads_it(tmp_path: Path) -> None:
    knock(Doorkeeper(str(tmp_path / "registry.json")), "\x1b[2Jevil" + "x" * 100_000)
    (reason,) = told(tmp_path)
    assert reason == "[2Jevil" + "x" * 56 + " is not in the registry; approve its request first"


def test_whoever_knocks_again_and_again_is_written_down_once(tmp_path: Path) -> None:
    doorkeeper = Doorkeeper(str(tmp_path / "registry.json"))
    for _ in range(5):
        knock(doorkeeper, "a")
    assert len(told(tmp_path)) == 1
    for number in range(2 * MOST):
        knock(doorkeeper, f"name-{number}")
    assert len(told(tmp_path)) == MOST
