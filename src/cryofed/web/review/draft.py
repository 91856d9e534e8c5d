"""Work on a gallery, kept on disk: it survives a reload, a crash and another port."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cryofed.disk.whole import write_whole

Limit = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
Scale = Literal["none", "relion-colour", "grade"]  # habits of labelling, see library/labels.py
MOST = {"none": 0, "relion-colour": 6, "grade": 5}


class Draft(BaseModel):
    """Decisions on one gallery, saved or not. `hand`: 1 kept, -1 rejected, 0 left to the threshold.

    `revision` counts the changes that the command has taken; a page sends the one that it has seen last.
    `threshold` None is the automatic cut: another model's cut may differ. `learning`: whether the scores are
    those that the decisions taught, or the model's own. `fewest`, `coarsest` and `ess` are limits on
    particles, resolution in Å and effective sample size. `grade` is of the scale in use, 0 for none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: Annotated[int, Field(ge=0)]
    threshold: Annotated[float, Field(ge=0, le=1)] | None
    hand: list[Annotated[int, Field(ge=-1, le=1)]]
    reason: list[Annotated[int, Field(ge=-1, le=99)]]
    saved: bool = False
    learning: bool = True
    fewest: Limit = None
    coarsest: Limit = None
    ess: Limit = None
    scale: Scale = "none"
    grade: list[Annotated[int, Field(ge=0, le=6)]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _graded(self) -> Self:
        """A draft that an earlier version kept has no grades; the scales end at 6 and 5."""
        if not self.grade:
            object.__setattr__(self, "grade", [0] * len(self.hand))
        if max(self.grade, default=0) > MOST[self.scale]:
            raise ValueError(f"grade: above {MOST[self.scale]}")
        return self


def state_folder() -> Path:
    """Where drafts live: `$XDG_STATE_HOME/cryofed/review`, by default under `~/.local/state`."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "cryofed" / "review"


def read_draft(path: Path, n: int) -> Draft | None:
    """The draft of a gallery of n averages; None where there is none or it does not fit."""
    try:
        draft = Draft.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None  # a draft is a convenience: an unreadable one is no reason to stop
    return draft if len(draft.hand) == len(draft.reason) == len(draft.grade) == n else None


def write_draft(path: Path, draft: Draft) -> None:
    """Replace the draft at once, so that a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, json.dumps(draft.model_dump()).encode(), mode=0o600)


class StaleError(Exception):
    """A page that has not seen the latest changes wants to write; `draft` holds them."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(f"revision {draft.revision}")
        self.draft = draft


@dataclass(slots=True)
class Drafts:
    """The one draft of a gallery of n averages. Of two pages, neither overwrites what it has not seen."""

    path: Path
    n: int
    lock: Lock = field(default_factory=Lock)

    def read(self) -> Draft | None:
        """The draft as it stands."""
        return read_draft(self.path, self.n)

    def write(self, draft: Draft, beside: Callable[[], object] | None = None) -> int:
        """Take a draft that was made from the latest one; the new revision.

        `beside` is done first and under the same lock, so that what is saved is what the draft says.

        Raises:
            StaleError: another page wrote since; nothing is done.
        """
        with self.lock:
            latest = self.read()
            if latest is not None and draft.revision != latest.revision:
                raise StaleError(latest)
            if beside is not None:
                beside()
            taken = draft.model_copy(update={"revision": draft.revision + 1})
            write_draft(self.path, taken)
            return taken.revision
