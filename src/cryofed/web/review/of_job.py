"""A job and its scores become a gallery; a decision becomes the job's selection files and labels."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import CryoFedError
from cryofed.jobs.job import ClassJob
from cryofed.jobs.particle_images import particle_images
from cryofed.jobs.programs import program
from cryofed.library.harvest import relion
from cryofed.library.harvest.past import PastSelection, labelling
from cryofed.library.labels import Labelling
from cryofed.library.lessons import by_index, read_selection
from cryofed.library.pictures import content_hash
from cryofed.library.reading import meaning
from cryofed.library.rows import now
from cryofed.library.store import Library
from cryofed.scoring.prepare import is_dark, job_radius_px
from cryofed.scoring.reasons import REASONS
from cryofed.selection.decisions import FILE, decisions_text
from cryofed.selection.making import Making, model_used
from cryofed.selection.policies import NAMED
from cryofed.selection.policy import Policy, Selection, decide
from cryofed.selection.taught import Teachable, unsure_after
from cryofed.selection.writer import free_folder, write_selection
from cryofed.web.review.gallery import Gallery
from cryofed.web.review.routes import Decision, Saving

BY_HAND = "rejected by hand"


def gallery_of_job(
    job: ClassJob,
    selection: Selection,
    label: NDArray[np.float64],
    teachable: Teachable | None = None,
    policy: Policy | None = None,
) -> Gallery:
    """What the page shows of a job that was scored and decided; `label` and `teachable` as in `Gallery`."""
    policy = policy or Policy()
    by_threshold = selection.score >= selection.cut
    return Gallery(
        title=job.name,
        detail=describe(job),
        averages=job.averages,
        radius_px=job_radius_px(job),
        pixel_size_angstrom=job.pixel_size_angstrom,
        number=job.classes.number,
        particles=job.classes.particles,
        resolution_angstrom=job.classes.resolution_angstrom,
        ess=job.class_ess,
        particle_images=(
            None
            if job.particle_classes is None
            else lambda i: particle_images(job, int(job.classes.number[i]))
        ),
        score=selection.score,
        unsure=selection.unsure,
        reason=selection.reason,
        view=selection.view,
        label=label,
        start=selection.kept,
        pinned=tuple(
            r if k != t else ""
            for r, k, t in zip(selection.reason, selection.kept, by_threshold, strict=True)
        ),
        threshold=selection.cut,
        policy=selection.policy,
        cuts={name: named.threshold for name, named in NAMED.items()},
        max_loss=policy.max_loss,
        dark=is_dark(job.averages),
        warnings=(*job.notes, *filter(None, (selection.note, selection.doubt))),
        teachable=teachable,
    )


def describe(job: ClassJob) -> str:
    """Program, box, pixel and mask in one line; what is unknown is left out."""
    parts = [program(job.program).words, f"box {job.box} px"]
    if job.pixel_size_angstrom:
        parts.append(f"{job.pixel_size_angstrom:.3g} Å per pixel")
    if job.mask_diameter_angstrom:
        parts.append(f"mask {job.mask_diameter_angstrom:.0f} Å")
    return " · ".join(parts)


def earlier_labels(job: ClassJob, library: Path | None, named: Path | None = None) -> NDArray[np.float64]:
    """What a person said before, `(n,)` 1, 0 or NaN: as `named`, else in the library, else in the project.

    Raises:
        InputError: the selection that was named does not speak of these classes.
    """
    nothing = np.full(len(job.classes), np.nan)
    if named is not None:
        for i, kept in by_index(read_selection(named, "--earlier"), job).items():
            nothing[i] = kept
        return nothing
    if library is not None and library.is_file():
        with Library(library) as opened:
            earlier = opened.find(content_hash(job))
            if earlier is not None:
                known, _, good, _ = meaning(opened.jobs(earlier)[0])
                return np.where(known, good.astype(float), np.nan)
    past = _past_selection(job)
    if past is None:
        return nothing
    try:
        return labelling(past, job).values.astype(float).clip(0, 1)
    except CryoFedError:  # it speaks of other classes, or says the same of all
        return nothing


def project_of(job: ClassJob) -> str:
    """The project as the library calls it: the folder of RELION's pipeline or CryoSPARC's project."""
    start = (job.files.get("model") or job.files.get("templates") or job.files["averages"]).resolve()
    for folder in start.parents:
        if relion.is_project(folder):
            return str(folder)
    return str(start.parent.parent if job.program == "cryosparc" else start.parent)


def saving_of_job(
    job: ClassJob,
    selection: Selection,
    out: Path,
    library: Path | None,
    *,
    making: Making,
    teachable: Teachable | None = None,
) -> Saving:
    """Saves into `out`, or beside it where that is taken, and labels into `library` where asked."""

    def save(decision: Decision) -> list[str]:
        folder = free_folder(out)
        by_hand = decision.decided
        learnt, note = taught(selection, decision, teachable)
        numbers = {int(job.classes.number[i]): kept for i, kept in by_hand.items()}
        files = write_selection(
            job,
            decided(job, learnt, decision),
            folder,
            making=replace(making, model=replace(making.model, learnt=note) if making.model else None),
            beside={FILE: decisions_text(job, numbers, folder)} if numbers else None,
        )
        lines = [str(file) for file in files]
        if library is not None and decision.labels != "none":
            lines.append(_keep_labels(job, decision, library))
        return lines

    return Saving(
        files=f"Writes the selection into a new folder, {out}. The job's own files are not touched.",
        library=str(library or ""),
        save=save,
    )


def taught(selection: Selection, decision: Decision, teachable: Teachable | None) -> tuple[Selection, str]:
    """The selection with the scores that the page showed, and from what they were learnt, in words."""
    by_hand = decision.decided
    if not decision.learning or teachable is None:
        return selection, ""
    good, bad = teachable.counts(by_hand)
    if not good or not bad:
        return selection, ""
    score = teachable.taught(by_hand)
    note = f"learnt from {good} good and {bad} bad decisions by hand"
    return replace(selection, score=score, unsure=unsure_after(score, by_hand)), note


def outside(job: ClassJob, decision: Decision, i: int) -> str:
    """The limit that a class lies outside of, in words; what is unknown lies outside of none."""
    table = job.classes
    if decision.fewest is not None and 0 <= table.particles[i] < decision.fewest:
        return f"fewer than {decision.fewest:g} particles"
    if decision.coarsest is not None and table.resolution_angstrom[i] > decision.coarsest:
        return f"coarser than {decision.coarsest:g} Å"
    if decision.ess is not None and job.class_ess is not None and job.class_ess[i] > decision.ess:
        return f"ESS over {decision.ess:g}"
    return ""


def decided(job: ClassJob, selection: Selection, decision: Decision) -> Selection:
    """The selection as the person left it; a rejection by hand gives the person's reason."""
    reasons = []
    for i, kept in enumerate(decision.kept):
        own = decision.reason[i]
        theirs = BY_HAND if decision.by_hand[i] else outside(job, decision, i) or selection.reason[i]
        reasons.append("" if kept else REASONS[own] if 0 <= own < len(REASONS) else theirs)
    group = None
    if decision.scale == "relion-colour" and decision.grade is not None:
        group = np.where(decision.kept, np.maximum(decision.grade, 1), 0)
    return replace(
        selection,
        kept=decision.kept,
        cut=decision.threshold,
        reason=tuple(reasons),
        note="",
        doubt="",
        policy="by hand",
        group=group,
    )


def review_labelling(decision: Decision) -> Labelling:
    """The decision as labels: of what was set by hand, or of all classes."""
    said = decision.by_hand if decision.labels == "hand" else np.ones(len(decision.kept), bool)
    return Labelling(
        habit="binary",
        values=np.where(said, decision.kept, np.nan).astype(np.float32),
        source=f"review by {_person()}",
        made_at=now(),
        review=True,
        reasons=np.where(said & ~decision.kept, decision.reason, -1).astype(np.int8),
    )


def graded_labelling(decision: Decision) -> Labelling | None:
    """The grades as labels of their own habit; None where no class has one."""
    if decision.grade is None or not decision.grade.any():
        return None
    values = np.where(decision.grade > 0, decision.grade, np.nan).astype(np.float32)
    return replace(review_labelling(decision), habit=decision.scale, values=values, made_at=now())


def _keep_labels(job: ClassJob, decision: Decision, library: Path) -> str:
    labels, grades = review_labelling(decision), graded_labelling(decision)
    if grades is not None:  # a grade says more than yes or no
        labels = replace(labels, values=np.where(np.isfinite(grades.values), np.nan, labels.values))
    said = [one for one in (labels, grades) if one is not None and np.isfinite(one.values).any()]
    with Library(library, create=True) as opened:
        opened.add(job, project_of(job), said)
    return f"{sum(int(np.isfinite(one.values).sum()) for one in said)} labels in {library}"


def _past_selection(job: ClassJob) -> PastSelection | None:
    """The latest selection that a person made of this job in its RELION project."""
    project = Path(project_of(job))
    if job.program != "relion" or not relion.is_project(project):
        return None
    own = {file.resolve() for file in job.files.values()}
    selections = [
        one for one in relion.find(project) if isinstance(one, PastSelection) and one.job.resolve() in own
    ]
    return max(selections, key=lambda one: one.made_at, default=None)


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name in this container
        return "unknown"


Progress = Callable[[str], object]


def open_review(
    job: ClassJob,
    *,
    policy: Policy | None = None,
    out: Path | None,
    library: Path | None,
    model: Path | None,
    say: Progress,
    earlier: Path | None = None,
) -> tuple[Gallery, Saving]:
    """Score and decide a job for review, as `cryofed select` would; `say` hears what is being done."""
    from cryofed.scoring.scorer import score_job
    from cryofed.selection.writer import check_folder, default_folder

    policy = policy or Policy()
    target = out or reviewed(default_folder(job))
    check_folder(job, free_folder(target))
    say(f"scoring {len(job.classes)} classes of {job.name}")
    # A page that stays open must not hold a graphics card.
    scores = score_job(job, model, policy.min_particles, device="cpu")
    selection = decide(job, scores, policy)
    teachable = Teachable.of(scores, selection.score, selection.cut) if scores.pooled.shape[1] else None
    gallery = gallery_of_job(job, selection, earlier_labels(job, library, earlier), teachable, policy)
    making = Making(model=model_used(model))
    return gallery, saving_of_job(job, selection, target, library, making=making, teachable=teachable)


def reviewed(default: Path) -> Path:
    """`job012_selected` becomes `job012_reviewed`."""
    return default.with_name(default.name.removesuffix("_selected") + "_reviewed")


__all__: Sequence[str] = ("gallery_of_job", "open_review", "saving_of_job")
