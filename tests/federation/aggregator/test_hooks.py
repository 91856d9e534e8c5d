"""A listener that fails costs no round, and the others still hear."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.contract import toy

from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.hooks import tell
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.engines.embedded.carrier import InlineCarrier


def broken(event: str, facts: Mapping[str, Any]) -> None:
    raise OSError(f"no space left for {event}")


def test_a_hook_that_raises_is_named_and_the_next_one_hears(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    tell([broken, lambda event, _: heard.append(event)], "round_closed", {})
    assert heard == ["round_closed"]
    assert "broken failed at round_closed (OSError: no space left" in capsys.readouterr().err


def test_an_interrupt_is_not_a_failure() -> None:
    def interrupted(event: str, facts: Mapping[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tell([interrupted], "round_closed", {})


def test_rounds_with_a_broken_listener_give_the_same_bits(tmp_path: Path) -> None:
    names = ("alpha", "beta")
    plan, vectors = toy.plan(names), []
    for folder, hooks in ((tmp_path / "a", []), (tmp_path / "b", [broken])):
        sites = toy.toys(dict.fromkeys(names, "honest"), folder / "sites")
        with open_rounds(folder, plan, toy.LAYOUT, toy.START, hooks=hooks) as rounds:
            run_rounds(rounds, InlineCarrier(plan, sites, toy.answer))
            vectors.append(rounds.vector.tobytes())
    assert vectors[0] == vectors[1]
