"""Past selections in the layout of EMPIAR-10812: one folder a job, colours by one expert, a score a job."""

from __future__ import annotations

from pathlib import Path

from cryofed.errors import CryoFedError
from cryofed.jobs import star
from cryofed.library.harvest.past import Found, Passed, PastSelection
from cryofed.library.harvest.relion import BACKUP, SCORE, job_score
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
    except (CryoFedError, OSError) as error:
        return Passed(project=str(folder.parent.resolve()), source=folder, reason=str(error))


def _selection(folder: Path) -> Found:
    general = star.need_block(folder / MODEL, "model_general")
    pixel = float(general.get("rlnPixelSize", ["nan"])[0])
    colours = star.need_column(folder / BACKUP, star.need_block(folder / BACKUP, ""), "rlnSelected")
    optimiser = folder / "run_optimiser.star"
    return PastSelection(
        project=f"{folder.parent.resolve()} at {pixel:.3f} Å a pixel",
        source=folder,
        job=optimiser if optimiser.is_file() else folder / MODEL,
        made_at=file_time(folder / BACKUP),
        habit="relion-colour",
        values=dict(enumerate(map(float, colours), start=1)),
        others=float("nan"),
        job_score=job_score(folder),
    )
