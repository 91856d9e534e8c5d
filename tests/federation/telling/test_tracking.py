"""Round reports in MLflow: complete, once per campaign, and never at the cost of a round."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.contract import toy
from tests.contract.harness import Embedded

from cryofed.errors import MissingPackageError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.telling import tracking as module
from cryofed.federation.telling.tracking import Sender, gate_metrics, round_metrics, tracking

PLAN = Plan(name="demo", tracking="mlflow")
SITE = {"bytes": 1_500_000, "examples": 29, "metrics": {"auc": 0.91}, "norm": 1.5, "steps": 10}
ROUND = {
    "round": 2, "accepted": {"a": SITE, "b": SITE}, "refused": {"c": "not_finite"}, "lost": {"d": "late"},
    "auc": 0.91, "seconds": 4.25,
}  # fmt: skip
GATE = {
    "promoted": False, "metric": "auc", "pooled_candidate": 0.9, "pooled_current": 0.92,
    "sites": {"a": {"candidate": 0.9, "current": 0.92, "held_out": 100}}, "stopped_by": ["a fell by 0.02"],
}  # fmt: skip


def test_a_round_report_becomes_named_numbers() -> None:
    told = round_metrics(ROUND)
    assert told["bytes"] == 3_000_000
    assert (told["accepted"], told["refused"], told["lost"]) == (2, 1, 1)
    assert (told["auc"], told["seconds"]) == (0.91, 4.25)
    assert told["site/a/auc"] == 0.91
    assert told["site/b/norm"] == 1.5


def test_a_gate_without_a_pooled_metric_sends_none() -> None:
    assert gate_metrics(GATE | {"pooled_candidate": None, "pooled_current": None}) == {
        "site/a/gate_candidate": 0.9,
        "site/a/gate_current": 0.92,
    }


def test_a_plan_without_tracking_has_no_hook() -> None:
    with tracking(Plan(name="demo"), 1) as hooks:
        assert hooks == []


def test_a_missing_package_is_said_before_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"\.\[mlflow\]"), tracking(PLAN, 1):
        pass


class Failing:
    """A server that goes away after the first round."""

    def __init__(self) -> None:
        self.notes = 0

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        self.notes += 1
        raise ConnectionError("refused\nwith a second line")


def test_a_failing_server_costs_one_line_and_no_round(capsys: pytest.CaptureFixture[str]) -> None:
    failing = Failing()
    sender = Sender(lambda: failing)  # type: ignore[arg-type,return-value]
    for _ in range(5):
        sender.note("round_closed", ROUND)
    sender.close()
    assert failing.notes == 1
    told = capsys.readouterr().err
    assert told == (
        "warning: MLflow does not take the rounds (ConnectionError: refused); the campaign goes on\n"
    )


def test_a_server_that_hangs_holds_up_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAST_S", 0.2)
    hang = threading.Event()

    def connect() -> Failing:
        hang.wait(30)
        return Failing()  # and fails after all: that is no second line

    sender = Sender(connect)  # type: ignore[arg-type]
    begun = time.monotonic()
    sender.note("round_closed", ROUND)
    assert time.monotonic() - begun < 0.1
    sender.close()
    assert time.monotonic() - begun < 5
    hang.set()
    sender._thread.join(5)
    assert capsys.readouterr().err == (
        "warning: MLflow does not take the rounds (it does not answer); the campaign goes on\n"
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A real store of MLflow's on this disk."""
    mlflow = pytest.importorskip("mlflow", reason="the extra cryofed[mlflow] is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(before)


@pytest.mark.filterwarnings("ignore:.*:FutureWarning:mlflow")  # its file store is to be retired
def test_a_campaign_is_one_run_of_mlflow_also_when_it_is_resumed(store: Any) -> None:
    with tracking(PLAN, 3) as hooks:
        hooks[0]("round_closed", ROUND | {"round": 1})
    (run,) = store.search_runs([store.get_experiment_by_name("demo").experiment_id])
    assert run.info.status == "KILLED"  # stopped before the gate spoke
    with tracking(PLAN, 3) as hooks:
        hooks[0]("round_started", {"round": 2})
        hooks[0]("round_closed", ROUND)
        hooks[0]("gate", GATE)
    (run,) = store.search_runs([store.get_experiment_by_name("demo").experiment_id])
    assert (run.info.run_name, run.info.status) == ("campaign 3", "FINISHED")
    assert run.data.params["strategy"] == "fedavg"
    assert run.data.tags["missing.00002"] == "c not_finite, d late"
    assert (run.data.tags["gate"], run.data.tags["gate.stopped_by"]) == ("kept", "a fell by 0.02")
    assert run.data.metrics["gate/pooled_current"] == 0.92
    history = store.get_metric_history(run.info.run_id, "site/a/auc")
    assert [(one.step, one.value) for one in history] == [(1, 0.91), (2, 0.91)]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_server_that_is_not_there_costs_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="the extra cryofed[mlflow] is not installed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"http://127.0.0.1:{port}")
    try:
        with tracking(PLAN, 1):
            outcome = Embedded(inline=True).run(
                toy.plan(("a", "b")), tmp_path, {"a": "honest", "b": "honest"}
            )
    finally:
        mlflow.set_tracking_uri(before)
    assert len(outcome.reports) == 3
    told = capsys.readouterr().err.splitlines()
    assert len([line for line in told if line.startswith("warning: MLflow does not take")]) == 1
