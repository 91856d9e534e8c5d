"""Walk through folders and say which projects lie there; every real folder once, whatever links to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cryofed.errors import InputError
from cryofed.library.harvest.past import Found, Passed, why


def find(paths: Iterable[Path]) -> Iterator[Found]:
    """Past selections below `paths`, project by project; nothing below a project's folder is walked.

    A project that cannot be read is passed by with its reason, and the others are read.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.is_dir():
            raise InputError(
                path, "path", "no such folder", "give a folder with RELION or CryoSPARC projects"
            )
        unreadable: list[OSError] = []
        for name, folders, _ in os.walk(path, onerror=unreadable.append, followlinks=True):
            folder = Path(name)
            real = folder.resolve()
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            # A folder before a link to it: then it keeps its own name.
            folders[:] = sorted(
                (f for f in folders if f[0] != "."), key=lambda f: ((folder / f).is_symlink(), f)
            )
            if (selections := _project(folder)) is not None:
                folders.clear()
                yield from _guarded(folder, selections)
        for error in unreadable:
            yield Passed(project=str(path), source=Path(error.filename), reason=str(error.strerror))


def job_folders(place: Path) -> list[Path]:
    """Folders right in a place, each real folder once: RELION's aliases are links to the same jobs.

    Raises:
        OSError: the place cannot be read.
    """
    folders = [f for f in place.iterdir() if f.name[0] != "." and f.is_dir()]
    # A folder before a link to it, and a job's own name before an alias.
    folders.sort(key=lambda f: (f.is_symlink(), not f.name.startswith(("job", "J")), f.name))
    once: dict[Path, Path] = {}
    for folder in folders:
        once.setdefault(folder.resolve(), folder)
    return sorted(once.values())


def _project(folder: Path) -> Callable[[], Iterator[Found]] | None:
    """How the selections of a project are found; None where a folder is none."""
    from cryofed.library.harvest import cryosparc, empiar, relion

    try:
        if relion.is_project(folder):
            return lambda: relion.find(folder)
        if cryosparc.is_project(folder):
            return lambda: cryosparc.find(folder)
        if empiar.is_job(folder):
            return lambda: iter([empiar.find(folder)])
    except OSError:
        return None  # os.walk tells it
    return None


def _guarded(folder: Path, selections: Callable[[], Iterator[Found]]) -> Iterator[Found]:
    try:
        yield from selections()
    except Exception as error:  # one broken project must not end the harvest of the others
        yield Passed(project=str(folder.resolve()), source=folder, reason=why(error))
