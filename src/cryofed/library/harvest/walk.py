"""Walk through folders and say which projects lie there; links are not followed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryofed.errors import InputError
from cryofed.library.harvest import cryosparc, empiar, relion
from cryofed.library.harvest.past import Found, Passed


def find(paths: Iterable[Path]) -> Iterator[Found]:
    """Past selections below `paths`, project by project; nothing below a project's folder is walked."""
    for path in paths:
        if not path.is_dir():
            raise InputError(
                path, "path", "no such folder", "give a folder with RELION or CryoSPARC projects"
            )
        unreadable: list[OSError] = []
        for name, folders, _ in os.walk(path, onerror=unreadable.append):
            folder = Path(name)
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            if relion.is_project(folder):
                folders.clear()
                yield from relion.find(folder)
            elif cryosparc.is_project(folder):
                folders.clear()
                yield from cryosparc.find(folder)
            elif empiar.is_job(folder):
                folders.clear()
                yield empiar.find(folder)
        for error in unreadable:
            yield Passed(project=str(path), source=Path(error.filename), reason=str(error.strerror))
