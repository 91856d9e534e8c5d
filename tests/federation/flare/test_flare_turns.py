"""Large answers arrive two at a time, and no site holds the others up for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryofed.federation.engines.flare.turns import AT_A_TIME, HOLD_S, Turns


def test_two_sites_may_send_and_the_third_waits_until_one_has_sent() -> None:
    turns = Turns()
    assert [turns.take(site) for site in ("a", "b", "c")] == [True, True, False]
    assert turns.take("a")  # asks again because the reply was lost
    turns.leave("b")
    assert turns.take("c")
    assert not turns.take("b")


def test_a_site_that_was_given_its_turn_and_died_loses_it() -> None:
    now = [0.0]
    turns = Turns(lambda: now[0])
    assert turns.take("dead")
    assert turns.take("slow")
    now[0] = HOLD_S - 1
    assert turns.take("dead")  # asking again does not prolong it
    assert not turns.take("c")
    now[0] = HOLD_S
    assert turns.take("c")


def test_a_closed_round_holds_no_turn() -> None:
    turns = Turns()
    assert turns.take("a")
    assert turns.take("b")
    turns.clear()
    assert turns.take("c")


def test_sites_ask_for_their_turn_and_the_aggregator_never_holds_more_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nvflare", reason="the extra cryofed[flare] is not installed")
    from tests.contract import toy
    from tests.contract.flare_harness import FlareInProcess

    from cryofed.federation.engines.flare import carrier, executor

    monkeypatch.setattr(executor, "LARGE", 0)
    given, held, most = [], set[str](), [0]

    class Watched(Turns):
        def take(self, site: str) -> bool:
            got = super().take(site)
            if got:
                given.append(site)
                held.add(site)
                most[0] = max(most[0], len(held))
            return got

        def leave(self, site: str) -> None:
            held.discard(site)
            super().leave(site)

        def clear(self) -> None:
            held.clear()
            super().clear()

    monkeypatch.setattr(carrier, "Turns", Watched)
    names = ("a", "b", "c")
    plan = toy.plan(names, count=2, min_updates=3)
    outcome = FlareInProcess().run(plan, tmp_path / "rounds", dict.fromkeys(names, "honest"))
    assert [sorted(report["accepted"]) for report in outcome.reports] == [list(names)] * 2
    assert sorted(set(given)) == list(names)
    assert 1 <= most[0] <= AT_A_TIME
