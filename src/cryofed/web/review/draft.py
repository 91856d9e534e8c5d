"""Work on a gallery, kept on disk: it survives a reload, a crash and another port."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Draft(BaseModel):
    """Decisions on one gallery, saved or not. `hand`: 1 kept, -1 rejected, 0 left to the threshold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: Annotated[int, Field(ge=0)]
    threshold: Annotated[float, Field(ge=0, le=1)]
    hand: list[Annotated[int, Field(ge=-1, le=1)]]
    reason: list[Annotated[int, Field(ge=-1, le=99)]]
    saved: bool = False


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
    return draft if len(draft.hand) == len(draft.reason) == n else None


def write_draft(path: Path, draft: Draft) -> None:
    """Replace the draft at once, so that a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_suffix(f".{os.getpid()}.new")
    unfinished.write_text(json.dumps(draft.model_dump()), encoding="utf-8")
    unfinished.replace(path)
