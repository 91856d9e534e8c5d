"""Send what rounds report to MLflow: a tracking server that fails costs a line and no round."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from cryofed.errors import MissingPackageError
from cryofed.federation.aggregator.hooks import Hook
from cryofed.federation.agreement.plan import Plan

LAST_S = 20.0  # how long the end of a campaign waits for what is still on its way
Event = tuple[str, Mapping[str, Any]]


@contextmanager
def tracking(plan: Plan, campaign: int) -> Iterator[list[Hook]]:
    """The hooks with which this campaign's rounds are sent where the plan says; none where it says nothing.

    Where MLflow is: its own `MLFLOW_TRACKING_URI`.

    Raises:
        MissingPackageError: MLflow is not installed.
    """
    if plan.tracking == "none":
        yield []
        return
    if find_spec("mlflow") is None:
        raise MissingPackageError("mlflow", "mlflow")
    sender = Sender(lambda: MLflowRun(plan, campaign))
    try:
        yield [sender.note]
    finally:
        sender.close()


class Sender:
    """Owns a thread that sends, so that no round waits for a server; after one failure it sends no more."""

    def __init__(self, connect: Callable[[], MLflowRun]) -> None:
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._warned = False
        self._thread = threading.Thread(target=self._send, args=(connect,), daemon=True, name="tracking")
        self._thread.start()

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        """Take one event of the rounds; returns at once."""
        self._events.put((event, facts))

    def close(self) -> None:
        """Let it send what it has, but not for ever."""
        self._events.put(None)
        self._thread.join(LAST_S)
        if self._thread.is_alive():
            self._warn("it does not answer")

    def _send(self, connect: Callable[[], MLflowRun]) -> None:
        try:
            run = connect()
            while (event := self._events.get()) is not None:
                run.note(*event)
            run.end()
        except Exception as error:  # whatever a server or its client does must not reach the rounds
            self._warn(f"{type(error).__name__}: {error}".splitlines()[0][:200])

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            print(f"warning: MLflow does not take the rounds ({why}); the campaign goes on", file=sys.stderr)


class MLflowRun:
    """One campaign as one run of MLflow; a campaign that is resumed finds its run again."""

    def __init__(self, plan: Plan, campaign: int) -> None:
        # MLflow's own defaults try for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        from mlflow import MlflowClient

        self._client = MlflowClient()
        known = self._client.get_experiment_by_name(plan.name)
        experiment = known.experiment_id if known else self._client.create_experiment(plan.name)
        runs = self._client.search_runs([experiment], f"tags.`cryofed.campaign` = '{campaign}'")
        if runs:
            self._run = runs[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
            return
        tags = {"cryofed.campaign": str(campaign), "cryofed.plan": plan.hash}
        run = self._client.create_run(experiment, tags=tags, run_name=f"campaign {campaign}")
        self._run = run.info.run_id
        parameters = {"engine": plan.engine, "strategy": plan.strategy.name, "seed": plan.seed}
        for name, value in (parameters | {"rounds": plan.rounds.count, "sites": len(plan.sites)}).items():
            self._client.log_param(self._run, name, value)

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        """Send a closed round, or the gate's decision; the other events are of the moment."""
        if event == "round_closed":
            self._log(round_metrics(facts), facts["round"])
            gone = {**facts["refused"], **facts["lost"]}
            if gone:
                missing = ", ".join(f"{site} {code}" for site, code in sorted(gone.items()))
                self._client.set_tag(self._run, f"missing.{facts['round']:05d}", missing)
        elif event == "gate":
            self._log(gate_metrics(facts), 0)
            self._client.set_tag(self._run, "gate", "promoted" if facts["promoted"] else "kept")
            if facts["stopped_by"]:
                self._client.set_tag(self._run, "gate.stopped_by", "; ".join(facts["stopped_by"]))
            self._client.set_terminated(self._run)

    def end(self) -> None:
        """A run whose gate has not spoken was stopped, and may be resumed."""
        if self._client.get_run(self._run).info.status == "RUNNING":
            self._client.set_terminated(self._run, "KILLED")

    def _log(self, metrics: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        rows = [Metric(name, value, now, step) for name, value in metrics.items()]
        for first in range(0, len(rows), 1000):  # what one request may hold
            self._client.log_batch(self._run, metrics=rows[first : first + 1000])


def round_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """A round report as named numbers; `site/NAME/…` is one site's."""
    accepted = report["accepted"]
    metrics = {
        "seconds": report["seconds"],
        "bytes": sum(update["bytes"] for update in accepted.values()),
        "accepted": len(accepted),
        "refused": len(report["refused"]),
        "lost": len(report["lost"]),
    }
    if report["auc"] is not None:
        metrics["auc"] = report["auc"]
    for site, update in accepted.items():
        known = {name: update[name] for name in ("examples", "norm", "bytes") if name in update}
        numbers = known | update["metrics"]
        metrics |= {f"site/{site}/{name}": value for name, value in numbers.items()}
    return {name: float(value) for name, value in metrics.items()}


def gate_metrics(gate: Mapping[str, Any]) -> dict[str, float]:
    """The gate's numbers; `site/NAME/…` is one site's."""
    metrics = {f"gate/{name}": gate[name] for name in ("pooled_candidate", "pooled_current")}
    for site, one in gate["sites"].items():
        metrics |= {f"site/{site}/gate_{name}": one[name] for name in ("candidate", "current")}
    return {name: float(value) for name, value in metrics.items() if value is not None}
