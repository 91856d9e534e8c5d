"""What a person's earlier selection teaches the scores of another job; what was learnt stays at the site."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError
from cryofed.jobs.job import ClassJob
from cryofed.jobs.opening import open_job
from cryofed.library.harvest import cryosparc, relion
from cryofed.library.harvest.past import Passed, PastSelection, labelling
from cryofed.library.labels import targets
from cryofed.library.pictures import content_hash
from cryofed.library.rows import now
from cryofed.scoring.clicks import Lesson
from cryofed.scoring.scorer import SHIPPED, Scores, score_job
from cryofed.selection.decisions import FILE, read_decisions
from cryofed.selection.policy import Policy, decide
from cryofed.selection.taught import Teachable, after

VERSION = 1
FORGOTTEN = ".forgotten"  # instead of .json: not to be learnt again unless a person asks
WAYS = "name a Select job, the folder of a saved review, or a table of class_number and label"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a person decided of a job's classes, number to kept. `job` None: the very job to be selected."""

    source: Path
    job: Path | None
    kept: Mapping[int, bool] | PastSelection


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLesson:
    """A lesson in its file, `<key>.json` in `lessons_folder()`. `model`: SHA-256 of the model's file."""

    key: str
    source: str
    job: str
    learnt_at: str  # ISO 8601, UTC
    model: str
    lesson: Lesson

    @property
    def words(self) -> str:
        """Where it comes from, in one line."""
        return f"learnt from {self.source}: {self.lesson.good} kept, {self.lesson.bad} rejected"


def lessons_folder() -> Path:
    """Where lessons live: `$XDG_STATE_HOME/cryofed/learnt`, by default under `~/.local/state`."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "cryofed" / "learnt"


def read_selection(source: Path, option: str = "--learn-from") -> Decided:
    """What an option names: a Select job of RELION or CryoSPARC, a saved review, or a table.

    Raises:
        InputError: it is none of these, or no person's selection.
    """
    if source.is_file():
        table = read_decisions(source)
        return Decided(source=source, job=table.job, kept=table.kept)
    if (source / FILE).is_file():
        table = read_decisions(source / FILE)
        return Decided(source=source, job=table.job, kept=table.kept)
    if not source.is_dir():
        raise InputError(source, option, "no such file or folder", WAYS)
    labelled = relion.read(source) or cryosparc.read(source)
    if labelled is None:
        raise InputError(source, option, "no selection of a person", WAYS)
    if isinstance(labelled, Passed):
        raise InputError(source, option, labelled.reason, "name a selection that a person made")
    return Decided(source=source, job=labelled.job, kept=labelled)


def scores_learnt(
    job: ClassJob,
    scores: Scores,
    said: Decided,
    model: Path | None,
    policy: Policy,
    *,
    again: bool = True,
) -> tuple[Scores, str]:
    """The scores of `job` after a selection, and from what, in words.

    Where the selection speaks of `job` itself, its decisions stand; from another job a bounded lesson is
    carried over, and kept in a file. `again` False: a lesson that a person has removed is left alone, and
    the words are "".
    """
    first = decide(job, scores, policy)
    own = Teachable.of(scores, first.score, first.cut)
    other = None if said.job is None else open_job(said.job)
    if other is None or content_hash(other) == content_hash(job):
        decided = by_index(said, job)
        good, bad = own.counts(decided)
        if not good and not bad:
            raise InputError(said.source, "--learn-from", "none of its classes has a score here", WAYS)
        words = f"learnt from {said.source}: {good} kept, {bad} rejected in this job"
        return after(scores, own.taught(decided), decided), words
    kept = lesson_of(said, other, model, policy, again=again)
    if kept is None:
        return scores, ""
    return after(scores, own.carried(kept.lesson), {}), kept.words


def lesson_of(
    said: Decided, job: ClassJob, model: Path | None, policy: Policy, *, again: bool = True
) -> KeptLesson | None:
    """The lesson of a selection of `job`; from its file where it was learnt before.

    None where a person has removed it and `again` is False.
    """
    decided = by_index(said, job)
    used = model_hash(model)
    key = lesson_key(said, decided, used)
    path = lessons_folder() / f"{key}.json"
    if (known := read_lesson(path)) is not None and known.model == used:
        return known
    if not again and is_forgotten(key):
        return None
    scores = score_job(job, model)
    selection = decide(job, scores, policy)
    teachable = Teachable.of(scores, selection.score, selection.cut)
    if not any(teachable.counts(decided)):
        raise InputError(said.source, "--learn-from", "none of its classes has a score", WAYS)
    learnt = KeptLesson(
        key=key,
        source=str(said.source.absolute()),
        job=str(job.path),
        learnt_at=now(),
        model=used,
        lesson=teachable.lesson(decided),
    )
    write_lesson(path, learnt)
    return learnt


def by_index(said: Decided, job: ClassJob) -> dict[int, bool]:
    """The decisions by index of the job's classes.

    Raises:
        InputError: they speak of classes that the job does not have.
    """
    if isinstance(said.kept, PastSelection):
        target, good = targets(labelling(said.kept, job), job.classes.resolution_angstrom)
        return {int(i): bool(good[i]) for i in np.flatnonzero(np.isfinite(target))}
    place = {int(number): i for i, number in enumerate(job.classes.number)}
    if strange := set(said.kept) - set(place):
        found = f"class {min(strange)}, the classification has {len(place)} classes"
        raise InputError(said.source, "class_number", found, "the two do not belong together")
    return {place[number]: good for number, good in said.kept.items()}


def lesson_key(said: Decided, decided: Mapping[int, bool], model: str) -> str:
    """12 hexadecimal digits that change with the place, the decisions and the model."""
    text = json.dumps([str(said.source.absolute()), sorted(decided.items()), model])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def model_hash(model: Path | None) -> str:
    """SHA-256 of a model's file: a lesson is learnt on the numbers of one model."""
    return hashlib.sha256((model or SHIPPED).read_bytes()).hexdigest()


def lessons() -> list[KeptLesson]:
    """All that was learnt at this site, the latest last; unreadable files are left out."""
    all_of_them = [read_lesson(path) for path in lessons_folder().glob("*.json")]
    return sorted((one for one in all_of_them if one), key=lambda one: one.learnt_at)


def forget(key: str) -> KeptLesson:
    """Remove a lesson by the beginning of its key; a watch does not learn it again by itself.

    Raises:
        InputError: there is none, or several begin so.
    """
    chosen = [one for one in lessons() if one.key.startswith(key)]
    if len(chosen) != 1 or not key:
        found = f"{len(chosen)} lessons begin with {key!r}"
        raise InputError(lessons_folder(), "lesson", found, "see `cryofed learnt`")
    path = lessons_folder() / f"{chosen[0].key}.json"
    path.with_suffix(FORGOTTEN).touch()
    path.unlink()
    return chosen[0]


def is_forgotten(key: str) -> bool:
    """Whether a person has removed this lesson."""
    return (lessons_folder() / f"{key}{FORGOTTEN}").exists()


def write_lesson(path: Path, learnt: KeptLesson) -> None:
    """Write a lesson at once or not at all."""
    lesson = learnt.lesson
    weights = [float(f"{w:.7g}") for w in lesson.weights]
    plain = {"version": VERSION, **asdict(learnt), "lesson": asdict(lesson) | {"weights": weights}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.with_suffix(FORGOTTEN).unlink(missing_ok=True)
        write_whole(path, json.dumps(plain).encode(), mode=0o600)
    except OSError as error:
        raise InputError(
            path, "lesson", error.strerror or str(error), "make room, or free the place"
        ) from None


def read_lesson(path: Path) -> KeptLesson | None:
    """A lesson from its file; None where there is none, or it is damaged or of another version."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        if plain.pop("version") != VERSION:
            return None
        lesson = plain.pop("lesson")
        weights = np.array(lesson.pop("weights"), np.float64)
        return KeptLesson(**plain, lesson=Lesson(weights=weights, **lesson))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # it is learnt again: a lesson is a convenience


def earlier_selection(project: Path, job: ClassJob) -> PastSelection | None:
    """The latest selection that a person made of another classification of the same project."""
    selections = [*relion.find(project)] if relion.is_project(project) else []
    selections += [*cryosparc.find(project)] if cryosparc.is_project(project) else []
    own = {file.resolve() for file in job.files.values()}
    past = [one for one in selections if isinstance(one, PastSelection) and not own & _places(one.job)]
    return max(past, key=lambda one: one.made_at, default=None)


def _places(job: Path) -> set[Path]:
    """A classification that is named by its folder is any file in it."""
    return {job.resolve()} | {file.resolve() for file in (job.iterdir() if job.is_dir() else [])}
