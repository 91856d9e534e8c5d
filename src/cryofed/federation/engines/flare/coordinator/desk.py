"""The coordinator's talk with FLARE's server: a FLARE job is a disposable segment of a campaign."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TypeVar

from cryofed.disk.logs import LARGEST, OLDER
from cryofed.errors import FederationError
from cryofed.federation.engines.flare import inside
from cryofed.federation.engines.flare.envelopes import TASK
from cryofed.federation.engines.flare.files import CONTROLLER, EXECUTOR, TASK_SECONDS
from cryofed.federation.engines.flare.pings import new_secret, secret_of
from cryofed.federation.engines.remote import processes

T = TypeVar("T")
SERVER_APP, SITE_APP = "server", "site-"  # folders of a job; the second one's name ends in the site's
_CALL_S = 20.0  # no call to the aggregator may take longer


def write_job(folder: Path, segment: str, sites: Sequence[str], trial: str = "") -> Path:
    """A job of small files and no code; it names our two classes and nothing else.

    It has one application for the aggregator and one for each site, for each gets another secret.
    """
    shutil.rmtree(folder, ignore_errors=True)
    secret = new_secret()
    nothing: dict[str, object] = {"format_version": 2, "task_data_filters": [], "task_result_filters": []}
    arguments = {"trial": trial, "segment": segment, "secret": secret}
    deployed = {SERVER_APP: ["server"]} | {f"{SITE_APP}{site}": [site] for site in sites}
    files: dict[str, dict[str, object]] = {
        "meta.json": {"name": segment, "resource_spec": {}, "min_clients": 1, "deploy_map": deployed},
        f"{SERVER_APP}/config/config_fed_server.json": nothing
        | {
            "server": {"task_request_interval": TASK_SECONDS},
            "components": [],
            "workflows": [{"id": "rounds", "path": CONTROLLER, "args": arguments}],
        },
    }
    for site in sites:
        executor = {"path": EXECUTOR, "args": {"secret": secret_of(site, secret)}}
        files[f"{SITE_APP}{site}/config/config_fed_client.json"] = nothing | {
            "components": [],
            "executors": [{"tasks": [TASK], "executor": executor}],
        }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=1) + "\n")
    return folder


class FlareDesk:
    """Owns the coordinator's session with the aggregator; fills `remote.supervisor.Desk`."""

    def __init__(self, kit: Path, aggregator: Path, name: str) -> None:
        self._kit, self._aggregator, self._name = kit, aggregator, name
        self._session: Any = None
        # FLARE's threads go on talking after a call; what they say goes to a file beside the kit's own.
        log = logging.getLogger("nvflare")
        log.propagate = False
        if not log.handlers:
            log.addHandler(
                RotatingFileHandler(kit / "session.log", maxBytes=LARGEST, backupCount=OLDER, delay=True)
            )

    def alive(self) -> bool:
        """Whether FLARE's server is there, not only a job's process that it left behind."""
        running = processes.running(self._aggregator)
        return any(inside.SERVER_MODULE in process.info["cmdline"] for process in running)

    def heard_of(self) -> dict[str, float]:
        """Sites that are registered, and when their last sign of life came (seconds of the epoch)."""
        clients = self._call(lambda s: s.get_connected_client_list())
        return {str(client.name): float(client.last_connect_time or 0.0) for client in clients}

    def submit(self, folder: Path, segment: str, sites: Sequence[str], trial: str) -> str:
        """Write a segment's job and hand it in."""
        return self.hand_in(write_job(folder, segment, sites, trial))

    def hand_in(self, job: Path) -> str:
        """Hand in a job that is written; its id."""
        return str(self._call(lambda s: s.submit_job(str(job))))

    def ended(self, job: str) -> str:
        """Why it ended: FLARE's status, and the reasons of refused deployments."""
        status = self.status(job)
        if not status.startswith("FINISHED"):
            return ""
        details = self.meta(job).get("job_deploy_detail") or []
        reasons = "; ".join(str(line) for line in details if "OK" not in str(line))
        log = self._aggregator / "log.txt"
        return (
            f"the segment ended as {status}{': ' + reasons if reasons else ''}; the aggregator's log is {log}"
        )

    def status(self, job_id: str) -> str:
        """FLARE's word for the job: RUNNING, FINISHED:COMPLETED …"""
        return str(self._call(lambda s: s.get_job_status(job_id)))

    def meta(self, job_id: str) -> dict[str, Any]:
        """All that FLARE notes about the job, the reasons of refused deployments included."""
        return dict(self._call(lambda s: s.get_job_meta(job_id)))

    def abort(self, job: str) -> None:
        """End a segment; one that has ended already is fine."""
        with contextlib.suppress(FederationError):
            self._call(lambda s: s.abort_job(job))

    def close(self) -> None:
        """Log out, if the aggregator is still there; a session that is left open keeps Python from ending."""
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(Exception):
                in_time(session.close, 3.0)

    def _call(self, action: Callable[[Any], T]) -> T:
        left = threading.Event()  # nobody waits for this call any more

        def act() -> T:
            if self._session is None:
                self._session = inside.new_session(self._name, self._kit, 10.0)
                if left.is_set():
                    self.close()
                    raise TimeoutError("too late")
            return action(self._session)

        try:
            with silence():
                return in_time(act, _CALL_S)
        except BaseException as error:  # Ctrl-C, too, may come while a session is being opened
            left.set()
            self.close()  # the next call logs in again
            if not isinstance(error, Exception):
                raise
            raise FederationError(
                f"the aggregator did not answer ({type(error).__name__}: {error})"
            ) from error


def in_time(action: Callable[[], T], seconds: float) -> T:
    """Run in a thread that is left behind if it hangs."""
    results: list[T] = []
    errors: list[BaseException] = []

    def act() -> None:
        try:
            results.append(action())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results and thread.is_alive():
        raise TimeoutError(f"no answer in {seconds:.0f} s")
    return results[0]


@contextmanager
def silence() -> Iterator[None]:
    """FLARE prints too; its logs have the same."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
