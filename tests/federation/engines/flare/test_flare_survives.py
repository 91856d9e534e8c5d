"""Real processes: sites and the aggregator die, hang and come back, and the campaign goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.contract import toy
from tests.contract.flare_harness import ROOT
from tests.contract.harness import Embedded
from tests.federation.engines.flare.real import (
    HONEST,
    NAMES,
    Federation,
    kill,
    left,
    once_after,
    seconds_at_most,
    until,
)

from cryofed.errors import BusyError, FederationError
from cryofed.federation.engines.remote import processes

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def whole(request: pytest.FixtureRequest) -> None:
    if "running" in request.fixturenames:
        request.getfixturevalue("running").whole()


def test_the_same_plan_gives_the_same_bits_as_the_embedded_engine(
    running: Federation, tmp_path: Path
) -> None:
    trial = running.trial("same-bits")
    trial.run()
    reference = Embedded(inline=True).run(toy.plan(NAMES), tmp_path, HONEST)
    assert trial.vector.tobytes() == reference.vector.tobytes()
    assert [sorted(report["accepted"]) for report in trial.reports] == [sorted(NAMES)] * 3
    assert trial.supervisor.segments == 1


def test_a_learner_that_crashes_and_one_that_hangs_cost_their_rounds_only(running: Federation) -> None:
    trial = running.trial("faults", HONEST | {"beta": "exits", "gamma": "hangs"}, grace_s=1.0)
    trial.run()
    assert sorted(trial.reports[0]["accepted"]) == sorted(NAMES)
    for report in trial.reports[1:]:
        assert sorted(report["accepted"]) == ["alpha", "delta"]
        assert set(report["lost"]) == {"beta", "gamma"}
    assert trial.reports[1]["lost"] == {"beta": "site_crashed", "gamma": "late"}
    assert trial.supervisor.segments == 1  # no job died of it


def test_a_killed_site_is_left_behind_and_taken_in_again_when_it_is_back(running: Federation) -> None:
    trial = running.trial("left-behind", seconds=0.5, count=500, grace_s=2.0)
    back: list[int] = []  # rounds that were done when the site was connected again

    def kill_and_restart() -> None:
        running.kill_site("gamma")
        while len(trial.reports) < 6:
            time.sleep(0.1)
        running.start_site("gamma")
        back.append(len(trial.reports))

    strike = once_after(trial, 2, kill_and_restart)

    def tick() -> None:
        strike()
        if back and "gamma" in trial.reports[-1]["accepted"]:
            raise KeyboardInterrupt  # seen enough: the other rounds would be the same

    with pytest.raises(KeyboardInterrupt):
        trial.run(tick)
    there = ["gamma" in report["accepted"] for report in trial.reports]
    assert there[0]
    assert not any(there[4:6])  # killed in round 3 or 4
    assert all(len(report["accepted"]) >= 3 for report in trial.reports)  # nobody else lost a round for it
    assert trial.supervisor.segments == 2  # taken in by one new job


def test_a_killed_aggregator_resumes_by_itself_under_run_with_the_same_bits(
    running: Federation, tmp_path: Path
) -> None:
    # All sites in every round, however busy the machine is: the bits depend on who takes part.
    everybody = {"count": 6, "min_updates": len(NAMES), "deadline_s": 200.0}
    trial = running.trial("aggregator-killed", seconds=0.5, wait_s=200.0, **everybody)
    killed: list[float] = []

    def strike() -> None:
        killed.append(time.monotonic())
        running.kill_aggregator()

    trial.run(once_after(trial, 2, strike))
    assert killed
    assert [report["round"] for report in trial.reports] == [1, 2, 3, 4, 5, 6]
    reference = Embedded(inline=True).run(toy.plan(NAMES, **everybody), tmp_path, HONEST)
    assert trial.vector.tobytes() == reference.vector.tobytes()
    # The segment that the dead aggregator left RUNNING was closed by the janitor.
    log = (running.home.aggregator / "log.txt").read_text()
    assert "left open by an aggregator that died" in log


def test_a_killed_run_and_aggregator_resume_with_one_command(running: Federation) -> None:
    trial = running.trial("both-killed", seconds=0.5, count=5)

    def strike() -> None:
        if len(trial.reports) >= 2:
            raise KeyboardInterrupt  # `run` ends here; kill -9 of it leaves the same files

    with pytest.raises(KeyboardInterrupt):
        trial.run(strike)
    running.kill_aggregator()
    done = len(trial.reports)
    again = running.trial("both-killed", seconds=0.0, count=5)
    again.run()  # starts the aggregator, too
    assert [report["round"] for report in again.reports] == [1, 2, 3, 4, 5]
    assert done < 5


def test_a_killed_job_process_at_a_site_costs_a_segment_and_not_the_campaign(running: Federation) -> None:
    trial = running.trial("job-killed", seconds=0.5, count=8, grace_s=1.0)

    def strike() -> None:
        jobs = [
            p for p in processes.running(running.sites["beta"].kit) if "worker_process" in str(p.cmdline())
        ]
        assert jobs
        kill(jobs)

    trial.run(once_after(trial, 2, strike))
    assert len(trial.reports) == 8
    assert all(len(report["accepted"]) >= 3 for report in trial.reports)


def test_a_second_run_of_the_same_federation_is_refused(running: Federation) -> None:
    trial, other = running.trial("twice", seconds=0.5), running.trial("twice", seconds=0.5)
    errors: list[str] = []

    def second() -> None:
        try:
            other.run()
        except BusyError as error:
            errors.append(str(error))

    trial.run(once_after(trial, 1, second))
    assert len(errors) == 1
    assert "runs here; wait for it" in errors[0]
    assert len(trial.reports) == 3


def test_run_ends_with_one_line_when_the_sites_are_gone(running: Federation) -> None:
    trial = running.trial("all-gone", seconds=0.5, wait_s=3, count=50, retries=0)

    def strike() -> None:
        for name in NAMES:
            threading.Thread(target=running.kill_site, args=(name,)).start()

    with (
        seconds_at_most(120),
        pytest.raises(FederationError, match=r"quorum is 2.* run again to resume"),
    ):
        trial.run(once_after(trial, 2, strike))
    assert 2 <= len(trial.reports) < 50


def test_stop_leaves_no_process_behind(running: Federation) -> None:
    trial = running.trial("stopped", seconds=1.0, count=50)

    def tick() -> None:
        if len(trial.reports) >= 1:
            running.stop()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trial.run(tick)
    assert until(lambda: not running.left(), 10), running.left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_local_federation_that_is_interrupted_leaves_no_process_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "tests.federation.engines.flare.alone", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as alone:
        assert alone.stdout
        assert alone.stdout.readline() == b"runs\n"
        assert len(left(tmp_path)) >= 3  # itself, the aggregator, the site
        alone.send_signal(number)
        time.sleep(0.2)
        alone.send_signal(number)  # somebody is impatient
        try:
            alone.wait(30)
        finally:
            alone.kill()
    assert until(lambda: not left(tmp_path), 10), left(tmp_path)
