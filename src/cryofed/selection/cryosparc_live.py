"""Make a selection in a running CryoSPARC: a Select 2D job of its own, answered class by class.

The calls are those of cryosparc-tools 4.7 and 5.0, which share them (job.py and tools.py there); what differs
is named below.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, Protocol

from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob
from cryofed.selection.policy import Selection

TITLE = "CryoFed selection"  # `harvest` knows by it that no person chose
ENDED = ("completed", "failed", "killed")
START_SECONDS, FINISH_SECONDS = 600, 3600  # a Select 2D job only copies tables


class RemoteJob(Protocol):
    """A job of cryosparc-tools: `Job` of version 4, `JobController` of version 5."""

    uid: str

    def queue(self, lane: str | None = None) -> None:
        """Start it."""
        ...

    def wait_for_status(self, status: Any, *, timeout: int | None = None) -> str:
        """The status, once it is one of these or the time is over."""
        ...

    def wait_for_done(self, *, error_on_incomplete: bool = False, timeout: int | None = None) -> str:
        """The status at the end, or when the time is over."""
        ...

    def interact(self, action: str, body: Any = ..., *, timeout: int = 10, refresh: bool = False) -> Any:
        """Ask a waiting job for something."""
        ...

    def kill(self) -> None:
        """Stop it."""
        ...


class RemoteProject(Protocol):
    """A project of cryosparc-tools."""

    def create_job(
        self,
        workspace_uid: str,
        type: str,  # noqa: A002  (its name in cryosparc-tools)
        *,
        connections: Mapping[str, tuple[str, str]],
        title: str,
        desc: str,
    ) -> RemoteJob:
        """Make a job, which is not yet started."""
        ...


def folder(job: Any) -> Path:
    """The job's folder on the machine that CryoSPARC runs on: a property in version 5, a method in 4."""
    where = job.dir
    return Path(str(where if isinstance(where, PurePath) else where()))


def workspace(job: Any) -> str:
    """The first workspace of a job: version 5 has a model, version 4 a document."""
    model = getattr(job, "model", None)
    workspaces = model.workspace_uids if model is not None else job.doc["workspace_uids"]
    return str(workspaces[0])


def select(
    project: RemoteProject,
    workspace_uid: str,
    uid: str,
    *,
    job: ClassJob,
    selection: Selection,
    lane: str | None = None,
) -> str:
    """Make, answer and finish a Select 2D job on the classification `uid`; the new job's number.

    Raises:
        InputError: the job does not start or finish, or it shows other classes than were scored. A job that
            cannot be finished is stopped, not left waiting.
    """
    new = project.create_job(
        workspace_uid,
        "select_2D",
        connections={"particles": (uid, "particles"), "templates": (uid, "class_averages")},
        title=TITLE,
        desc=f"Classes of {uid} chosen by CryoFed",
    )
    new.queue(lane)
    status = new.wait_for_status({"waiting", *ENDED}, timeout=START_SECONDS)
    try:
        if status == "waiting":
            _answer(new, job, selection)
            new.interact("finish")
            status = new.wait_for_done(timeout=FINISH_SECONDS)
    except BaseException:
        new.kill()
        raise
    if status != "completed":
        if status not in ENDED:
            new.kill()
        raise InputError(new.uid, "status", status, "look at the job's log in CryoSPARC")
    return new.uid


def _answer(new: RemoteJob, job: ClassJob, selection: Selection) -> None:
    shown = {int(row["class_idx"]) + 1: row for row in new.interact("get_class_info")}
    numbers = job.classes.number.tolist()
    counts = {number: int(row["num_particles_total"]) for number, row in shown.items()}
    expected = dict(zip(numbers, job.classes.particles.tolist(), strict=True))
    if counts != expected:
        wrong = min(set(counts.items()) ^ set(expected.items()))[0]
        found = f"class {wrong}: {counts.get(wrong)} particles there, {expected.get(wrong)} in the files"
        raise InputError(new.uid, "classes", found, "run it again when the classification has finished")
    for number, kept in zip(numbers, selection.kept.tolist(), strict=True):
        new.interact("set_class_selected", {"class_idx": number - 1, "selected": kept})
