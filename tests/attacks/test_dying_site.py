"""A site whose process dies at every start costs the others a few segments, and not the campaign."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nvflare", reason="the extra cryofed[flare] is not installed: pip install '.[flare]'")

from tests.contract import toy

from cryofed.disk.lines import append_line
from cryofed.errors import FederationError
from cryofed.federation.engines.flare.machines import FlareMachines
from cryofed.federation.engines.remote.segments import read_presence, write_note, write_presence
from cryofed.federation.engines.remote.setbacks import FIRST_S, LONGEST_S, Setbacks
from cryofed.federation.engines.remote.supervisor import Supervisor

NAMES = ("alpha", "beta", "gamma")


class Rehearsed:
    """A supervisor whose segments are played by `play`: it writes what a segment leaves behind."""

    def __init__(self, folder: Path) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.jobs: list[set[str]] = []
        hooks = [lambda event, facts: self.events.append((event, facts))]
        plan, machines = toy.plan(NAMES), FlareMachines()
        self.supervisor = Supervisor(plan, folder, machines, self, trial="trial", hooks=hooks)
        self.supervisor.home.folder.mkdir(parents=True)
        self.clock = 0.0
        self.supervisor._setbacks = Setbacks(lambda: self.clock)

    def alive(self) -> bool:
        return True

    def heard_of(self) -> dict[str, float]:
        return {}

    def submit(self, folder: Path, segment: str, sites: Sequence[str], trial: str) -> str:
        self.jobs.append(set(sites))
        return "job"

    def ended(self, job: str) -> str:
        return ""

    def abort(self, job: str) -> None: ...

    def close(self) -> None: ...

    def segment(self, there: set[str], state: str, closed: bool) -> None:
        """One segment, from its submission to its end."""
        one = self.supervisor
        one._begin(set(NAMES))
        write_note(one.home.folder, one._segment, "runs")
        write_presence(one.home.folder, one._segment, sorted(self.jobs[-1] & there))
        if closed:
            (one.home.folder / "trial").mkdir(exist_ok=True)
            append_line(one.home.folder / "trial/rounds.jsonl", {"round": 1})
        write_note(one.home.folder, one._segment, state, "was aborted")
        one._finished()
        self.clock += 1.0


@pytest.fixture
def rehearsed(tmp_path: Path) -> Rehearsed:
    return Rehearsed(tmp_path / "toys")


@pytest.mark.parametrize("state", ["ended", "failed"])
def test_the_site_that_dies_at_every_start_is_left_out_and_named(rehearsed: Rehearsed, state: str) -> None:
    for _ in range(2):
        rehearsed.segment({"alpha", "beta"}, state, closed=False)
    rehearsed.segment({"alpha", "beta"}, "ended", closed=True)
    assert rehearsed.jobs == [set(NAMES), set(NAMES), {"alpha", "beta"}]
    assert rehearsed.events == [("site_left_out", {"site": "gamma", "seconds": FIRST_S})]


@pytest.mark.parametrize("state", ["ended", "failed"])
def test_segments_without_a_round_come_to_an_end_in_one_line(rehearsed: Rehearsed, state: str) -> None:
    def all_of_it() -> None:
        for _ in range(10):
            rehearsed.segment({"alpha"}, state, closed=False)  # beta, too: the quorum of 2 needs one of them

    with pytest.raises(
        FederationError, match="3 segments ended without a round: was aborted; left out: "
    ) as it:
        all_of_it()
    assert "\n" not in str(it.value)
    assert len(rehearsed.jobs) <= 5


def test_a_site_that_dies_late_but_works_again_is_not_left_out(rehearsed: Rehearsed) -> None:
    for _ in range(6):
        rehearsed.segment({"alpha", "beta"}, "ended", closed=True)
        rehearsed.segment(set(NAMES), "ended", closed=True)
    assert rehearsed.events == []


def test_each_death_doubles_the_time_and_work_clears_it() -> None:
    now = [0.0]
    setbacks = Setbacks(lambda: now[0])
    waits = [setbacks.died({"gamma"}).get("gamma", 0.0) for _ in range(12)]
    assert waits[:4] == [0.0, FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert waits[-1] == LONGEST_S
    assert setbacks.out() == {"gamma"}
    now[0] = LONGEST_S
    assert setbacks.out() == set()
    setbacks.worked({"gamma"})
    assert setbacks.died({"gamma"}) == {}


def test_who_was_there_is_written_down_though_flare_ends_the_segment_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    from nvflare.apis.signal import Signal

    from cryofed.federation.engines.flare.aggregator.carrier import FlareCarrier, SegmentEndError

    abort = Signal()
    engine = SimpleNamespace(
        get_cell=lambda: None, get_clients=lambda: [SimpleNamespace(name=name) for name in NAMES]
    )
    here = SimpleNamespace(_engine=engine)  # what the carrier uses of FLARE's controller
    carrier = FlareCarrier(here, abort, tmp_path, "one", "", secret="")  # type: ignore[arg-type]

    def ping(sites: Callable[[], object]) -> dict[str, bool]:
        abort.trigger("dead job")
        return {"alpha": True, "beta": False}

    monkeypatch.setattr(carrier, "_ping", ping)
    abort.reset(False)
    monkeypatch.setattr(carrier, "_check_abort", _late(carrier._check_abort))
    with pytest.raises(SegmentEndError):
        carrier.present()
    presence = read_presence(tmp_path, "one")
    assert presence
    assert presence[0] == {"alpha", "beta"}


def _late(check: Callable[[], None]) -> Callable[[], None]:
    """The first look finds nothing: the segment has just begun."""
    looks: list[int] = []

    def looked() -> None:
        looks.append(1)
        if len(looks) > 1:
            check()

    return looked
