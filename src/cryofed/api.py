"""What a program may do with CryoFed: each function is one command of the command line, without its printing.

Import these names from `cryofed` itself. Nothing heavy is imported before a function is called, and PyTorch
only by `train`. What a user can mend raises `CryoFedError` with the file, the field, what was
found and what to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryofed.jobs.job import ClassJob
    from cryofed.learning.local import LocalModel
    from cryofed.scoring.scorer import Scores
    from cryofed.selection.policy import Policy, Selection


def score(job: ClassJob, *, model: Path | str | None = None) -> Scores:
    """Probability in [0, 1] for each class of `job` that an expert keeps it; NaN where it is not scored.

    Args:
        job: from `open_job`.
        model: a `model.onnx`; by default the one that CryoFed ships.
    """
    from cryofed.scoring.scorer import score_job

    return score_job(job, Path(model) if model else None)


def select(job: ClassJob, *, model: Path | str | None = None, policy: Policy | None = None) -> Selection:
    """Which classes of `job` are kept, and why the others are not; `cryofed select` without its files.

    Args:
        job: from `open_job`.
        model: a `model.onnx`; by default the one that CryoFed ships.
        policy: the cut and what else is asked for; by default that of the command line.
    """
    from cryofed.scoring.scorer import score_job
    from cryofed.selection.policy import Policy, decide

    policy = policy or Policy()
    return decide(job, score_job(job, Path(model) if model else None, policy.min_particles), policy)


def write_selection(job: ClassJob, selection: Selection, folder: Path | str) -> list[Path]:
    """Write what the job's program continues from and `report.html`: all files or none, into a new folder.

    Returns:
        The files that were written.

    Raises:
        OutputError: `folder` holds a selection already, lies inside the job or cannot be written.
    """
    from cryofed.selection.writer import write_selection as write

    return write(job, selection, Path(folder))


def train(
    library: Path | str,
    out: Path | str,
    *,
    release: Path | str | None = None,
    seed: int = 1,
    epochs: int = 8,
    device: str = "auto",
) -> LocalModel:
    """Fine-tune a release on a site's own library; a model is written to `out` only if it is better at home.

    Args:
        library: a site's library, from `cryofed harvest`.
        out: a new folder for the model.
        release: the folder of the model to start from; by default the one that CryoFed ships.
        seed: the same seed gives the same model on a CPU.
        epochs: how often each average is seen, 1 or more.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        The trained model, its figures before and after on the held-out projects, and whether it is `better`.

    Raises:
        TrainingError: too few labels, labels of one kind only, or no held-out project.
    """
    from cryofed.learning.at_home import train_at_home

    start = Path(release) if release else None
    return train_at_home(Path(library), Path(out), release=start, seed=seed, epochs=epochs, device=device)[0]
