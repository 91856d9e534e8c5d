"""RELION's External protocol: how a program tells RELION's pipeline what it made and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryofed.disk.whole import write_whole
from cryofed.errors import CryoFedError

SUCCESS, FAILURE, ABORTED = "RELION_JOB_EXIT_SUCCESS", "RELION_JOB_EXIT_FAILURE", "RELION_JOB_EXIT_ABORTED"
ABORT_NOW = "RELION_JOB_ABORT_NOW"
NODES = "RELION_OUTPUT_NODES.star"
# file: its type since RELION 4, and the number that RELION 3.1 has for it (pipeline_jobs.h). Each version
# reads its own column and leaves the other alone.
OUTPUTS = {
    "particles.star": ("ParticleGroupMetadata.star.relion", 3),
    "class_averages.star": ("Image2DGroupMetadata.star.relion.classaverages", 5),
    "rank_optimiser.star": ("OptimiserData.star.relion.select", 9),
}


class AbortError(CryoFedError):
    """The person stopped the job in RELION's window."""

    def __str__(self) -> str:
        return "stopped from RELION"


def follow(folder: Path, work: Callable[[], None]) -> None:
    """Do the work of a job in its folder and leave the file that tells RELION how it ended.

    `work` calls `check_abort` between its steps. Whatever is raised goes on to the caller.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (SUCCESS, FAILURE, ABORTED):
        (folder / name).unlink(missing_ok=True)
    try:
        check_abort(folder)
        work()
    except AbortError:
        (folder / ABORT_NOW).unlink(missing_ok=True)
        (folder / ABORTED).touch()
        raise
    except BaseException:
        (folder / FAILURE).touch()
        raise
    (folder / SUCCESS).touch()


def check_abort(folder: Path) -> None:
    """Raise `AbortError` where RELION asks the job to stop."""
    if (folder / ABORT_NOW).exists():
        raise AbortError


def write_output_nodes(folder: Path, outname: str) -> None:
    """Name the files that other jobs can start from; `outname` is the folder as RELION gave it."""
    rows = [
        f"{outname.rstrip('/')}/{name} {label} {number} "
        for name, (label, number) in OUTPUTS.items()
        if (folder / name).is_file()
    ]
    head = ["", "# version 30001", "", "data_output_nodes", "", "loop_ "]
    head += ["_rlnPipeLineNodeName #1 ", "_rlnPipeLineNodeTypeLabel #2 ", "_rlnPipeLineNodeType #3 "]
    write_whole(folder / NODES, "\n".join([*head, *rows, " ", ""]).encode())
