"""Past selections in the layout of EMPIAR-10812: one folder a job, colours by one expert, a score a job."""

from __future__ import annotations

from pathlib import Path

from cryofed.jobs import star
from cryofed.library.harvest.past import Found, Passed, PastSelection, why
from cryofed.library.harvest.relion import BACKUP, SCORE, job_score, selected
from cryofed.library.rows import file_time

MODEL = "run_model.star"


def is_job(folder: Path) -> bool:
    """Whether a folder is one of these jobs."""
    return all((folder / name).is_file() for name in (MODEL, BACKUP, SCORE))


def find(folder: Path) -> Found:
    """The selection in this folder.

    The folders' names are random and several may hold the same protein, so a folder is no project: all
    jobs of one pixel size are taken for one. That joins more than belongs together, and so never puts
    the same protein on both sides of the split.
    """
    try:
        return _selection(folder)
    except Exception as error:  # of one job; the others must go on
        return Passed(project=str(folder.parent.resolve()), source=folder, reason=why(error))


def _selection(folder: Path) -> Found:
    general = star.need_block(folder / MODEL, "model_general")
    pixel = float(next(iter(general.get("rlnPixelSize", [])), "nan"))
    optimiser = folder / "run_optimiser.star"
    return PastSelection(
        project=f"{folder.parent.resolve()} at {pixel:.3f} Å a pixel",
        source=folder,
        job=optimiser if optimiser.is_file() else folder / MODEL,
        made_at=file_time(folder / BACKUP),
        habit="relion-colour",
        values=selected(folder / BACKUP),
        others=float("nan"),
        whole=True,
        job_score=job_score(folder),
    )
