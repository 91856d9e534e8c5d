"""Real processes over mutual TLS: the same bits, each role killed, and nothing left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra cryofed[flower] is not installed: pip install '.[flower]'")

from tests.contract import toy
from tests.contract.harness import Embedded
from tests.federation.engines.flower.real import HONEST, NAMES, Federation

from cryofed.errors import FederationError
from cryofed.federation.engines.remote import processes

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    federation = Federation(tmp_path_factory.mktemp("flower"))
    yield federation
    federation.close()
    end = time.monotonic() + 15  # a learner notices within a second that its site is gone
    while federation.left() and time.monotonic() < end:
        time.sleep(0.2)
    assert federation.left() == []


def reference(folder: Path, **rounds: float) -> bytes:
    return Embedded(inline=True).run(toy.plan(NAMES, **rounds), folder, HONEST).vector.tobytes()


def test_the_same_bits_as_the_embedded_engine(running: Federation, tmp_path: Path) -> None:
    vector, reports = running.trial("same")
    assert [sorted(report["accepted"]) for report in reports] == [sorted(NAMES)] * 3
    assert vector.tobytes() == reference(tmp_path)


def test_a_killed_aggregator_is_started_again_and_the_bits_are_the_same(
    running: Federation, tmp_path: Path
) -> None:
    tick = running.once_after("aggregator", 1, running.kill_aggregator)
    vector, reports = running.trial("aggregator", tick, seconds=0.5, count=4)
    assert [report["round"] for report in reports] == [1, 2, 3, 4]
    assert vector.tobytes() == reference(tmp_path, count=4)
    assert "active as" in (running.sites["alpha"].kit / "console.log").read_text()


def test_a_killed_site_costs_itself_its_rounds_and_comes_back_at_once(running: Federation) -> None:
    def strike() -> None:
        running.kill_site("beta")
        began = time.monotonic()
        running.start_site("beta")  # its earlier life is still taken for alive: it is deactivated
        took.append(time.monotonic() - began)

    took: list[float] = []
    tick = running.once_after("site", 1, strike)
    _, reports = running.trial("site", tick, seconds=0.5, count=12, grace_s=5.0)
    assert len(reports) == 12
    assert all({"alpha", "gamma"} <= set(report["accepted"]) for report in reports)
    assert took, "the site did not start again"
    assert "beta" in reports[-1]["accepted"]


def test_a_site_that_is_not_in_the_registry_reads_why(running: Federation) -> None:
    running.machines.stop_site(running.sites["gamma"].folder)
    kept = running.home.registry.read_text()
    try:
        rows = [row for row in json.loads(kept) if row["name"] != "gamma"]
        running.home.registry.write_text(json.dumps(rows))
        with pytest.raises(FederationError, match=r"does not let gamma in: key .* is not in the registry"):
            running.start_site("gamma")
    finally:
        running.home.registry.write_text(kept)
    assert "is not in the registry" in running.home.refusals.read_text().splitlines()[-1]
    assert not processes.running(running.sites["gamma"].kit)


def test_run_ends_with_one_line_when_the_plan_cannot_be_carried_out(running: Federation) -> None:
    with pytest.raises(FederationError, match="run again"):
        running.trial("hangs", behaviours=dict.fromkeys(NAMES, "hangs"), count=2, deadline_s=3.0, retries=0)
