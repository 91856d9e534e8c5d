"""Real processes over mutual TLS: the same bits, each role killed, and nothing left behind.

Every engine whose aggregator is a process of ours (`remote.serving`) goes through this, in an environment
that has it. FLARE's processes are FLARE's; `tests/federation/engines/flare` kill them.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract import toy
from tests.contract.harness import Embedded
from tests.federation.engines.remote.expired import expire
from tests.federation.engines.remote.real import HONEST, NAMES, REMOTE, Federation

from cryofed.errors import FederationError, InputError, MissingPackageError
from cryofed.federation.engines.remote import connection, processes
from cryofed.federation.engines.remote.notes import Wanted, want
from cryofed.trust.identity import Identity

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]


ENGINES = [name for name in REMOTE if name != "flare"]


@pytest.fixture(scope="module", params=ENGINES)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    engine = str(request.param)
    try:
        federation = Federation(engine, tmp_path_factory.mktemp(engine))
    except MissingPackageError as error:
        pytest.skip(str(error))  # it names the extra that is missing
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
    before = [processes.running(site.kit)[0].pid for site in running.sites.values()]
    (struck,) = processes.running(running.home.aggregator)
    tick = running.once_after("struck", 1, running.kill_aggregator)
    vector, reports = running.trial("struck", tick, seconds=0.5, count=4)
    assert [report["round"] for report in reports] == [1, 2, 3, 4]
    assert vector.tobytes() == reference(tmp_path, count=4)
    assert [one.pid for one in processes.running(running.home.aggregator)] != [struck.pid]
    assert [processes.running(site.kit)[0].pid for site in running.sites.values()] == before


def test_a_killed_site_costs_itself_its_rounds_and_comes_back(running: Federation) -> None:
    back = threading.Event()

    def strike() -> None:
        running.kill_site("beta")
        running.start_site("beta")  # its earlier life is still taken for alive
        back.set()

    tick = running.once_after("site", 1, strike)
    _, reports = running.trial("site", tick, seconds=0.5, count=4, min_updates=2)
    assert len(reports) == 4
    assert all({"alpha", "gamma"} <= set(report["accepted"]) for report in reports)
    assert back.wait(120)
    _, reports = running.trial("back")
    assert [sorted(report["accepted"]) for report in reports] == [sorted(NAMES)] * 3


def test_a_run_that_was_killed_leaves_a_turn_that_the_next_one_takes_over(
    running: Federation, tmp_path: Path
) -> None:
    running.prepare("left", HONEST, 0.5, count=4)
    want(running.home.folder, Wanted("of a run that is no more", "left"))
    end = time.monotonic() + 120
    while not running.reports("left"):
        assert time.monotonic() < end
        time.sleep(0.1)
    vector, reports = running.trial("left", seconds=0.5, count=4)
    assert [report["round"] for report in reports] == [1, 2, 3, 4]
    assert vector.tobytes() == reference(tmp_path, count=4)


def test_an_expired_certificate_is_refused_on_both_sides(running: Federation, tmp_path: Path) -> None:
    own = Identity(tmp_path / "expired")
    shutil.copytree(running.sites["gamma"].identity.folder, own.folder)
    expire(own.certificate, running.home.authority)
    with pytest.raises(InputError, match=r"expired on 20.*renew it"):
        own.check()
    with pytest.raises(FederationError, match=r"(refused us|closed the connection|broke off)"):
        connection.check_aggregator(own, "localhost", running.plan.network.port)


def test_a_site_that_is_not_in_the_registry_reads_why(running: Federation) -> None:
    running.machines.stop_site(running.sites["gamma"].folder)
    kept = running.home.registry.read_text()
    try:
        rows = [row for row in json.loads(kept) if row["name"] != "gamma"]
        running.home.registry.write_text(json.dumps(rows))
        with pytest.raises(FederationError, match=r"does not let gamma in: .* is not in the registry"):
            running.start_site("gamma")
    finally:
        running.home.registry.write_text(kept)
    assert "is not in the registry" in running.home.refusals.read_text().splitlines()[-1]
    assert not processes.running(running.sites["gamma"].kit)


def test_run_ends_with_one_line_when_the_plan_cannot_be_carried_out(running: Federation) -> None:
    with pytest.raises(FederationError, match="run again"):
        running.trial(
            "hangs",
            behaviours=dict.fromkeys(NAMES, "hangs"),
            count=2,
            min_updates=2,  # gamma has been stopped
            deadline_s=3.0,
            grace_s=1.0,
            retries=0,
        )
