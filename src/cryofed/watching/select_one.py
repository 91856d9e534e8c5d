"""Score and decide one finished classification, and write its selection."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryofed.errors import CryoFedError
from cryofed.jobs.job import ClassJob
from cryofed.jobs.opening import open_job
from cryofed.library.lessons import Decided, earlier_selection, scores_learnt
from cryofed.scoring.scorer import Scores, score_job
from cryofed.selection.making import Making, model_used
from cryofed.selection.policy import Policy, Selection, asks_a_person, decide
from cryofed.selection.writer import free_folder, write_refusal, write_selection
from cryofed.watching.finished import Finished
from cryofed.watching.memory import Outcome, Record

Keep = Callable[[Record], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How every classification is selected; `model` None is the one that CryoFed ships.

    `learning`: the scores follow the latest selection that a person made of another classification of the
    `project`.
    """

    policy: Policy
    model: Path | None = None
    project: Path | None = None
    learning: bool = True
    device: str = "cpu"  # where it scores


def select_one(job: Finished, content: str, out: Path, settings: Settings, keep: Keep) -> Record:
    """Select one classification into a folder of its own below `out`.

    `keep` hears of the decision before its files appear and again when they are there: whoever is killed in
    between knows after a restart that the folder is whole and belongs to it.

    Raises:
        CryoFedError: the job cannot be read, or its selection cannot be written.
    """
    begun = time.perf_counter()
    opened = open_job(job.start)
    selection, learnt = _decided(opened, settings)
    folder = free_folder(out / job.name)
    if folder.exists():
        folder.rmdir()  # empty; what appears there must appear as a whole
    making = Making(model=model_used(settings.model, learnt))
    why = asks_a_person(opened, selection, settings.policy.max_loss)
    record = _record(job, content, opened, selection)
    record = replace(record, folder=folder.relative_to(out).as_posix(), note=why, learnt=learnt)
    keep(record)
    if why:
        write_refusal(opened, selection, folder, replace(making, refused=why))
    else:
        write_selection(opened, selection, folder, making=making)
    outcome: Outcome = "look" if why else "kept"
    record = replace(record, outcome=outcome, seconds=round(time.perf_counter() - begun, 2))
    keep(record)
    return record


def resume(record: Record, out: Path) -> Record | None:
    """A record whose writing was cut short: the finished one, or None where the work must be done again."""
    folder = out / record.folder
    for remains in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(remains, ignore_errors=True)  # half a selection that never got its name
    if record.note:  # only a report was to be written, and that may be half a report
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return replace(record, outcome="kept") if folder.is_dir() else None


def now() -> str:
    """The time, as records hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _decided(job: ClassJob, settings: Settings) -> tuple[Selection, str]:
    """The selection, and from what its scores were learnt, in words; "" where nothing teaches."""
    policy, learnt = settings.policy, ""
    scores = score_job(job, settings.model, policy.min_particles, settings.device)
    if settings.learning and settings.project is not None:
        try:
            scores, learnt = _after_expert(job, scores, settings)
        except (CryoFedError, OSError) as error:  # the job itself is whole, and is selected without
            learnt = f"not learnt: {error}"
    return decide(job, scores, policy), learnt


def _after_expert(job: ClassJob, scores: Scores, settings: Settings) -> tuple[Scores, str]:
    past = earlier_selection(settings.project, job) if settings.project else None
    if past is None:
        return scores, ""
    said = Decided(source=past.source, job=past.job, kept=past)
    return scores_learnt(job, scores, said, settings.model, settings.policy, again=False)


def _record(job: Finished, content: str, opened: ClassJob, selection: Selection) -> Record:
    counted = opened.total_particles is not None
    views_kept, views = selection.views
    return Record(
        name=job.name,
        content=content,
        outcome="writing",
        when=now(),
        classes=len(selection),
        classes_kept=int(selection.kept.sum()),
        particles=opened.total_particles,
        particles_kept=int(opened.classes.particles[selection.kept].sum()) if counted else None,
        views=views,
        views_kept=views_kept,
        unsure=int(selection.unsure.sum()),
    )
