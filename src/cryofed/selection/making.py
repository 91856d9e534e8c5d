"""How a selection came about: its model and the command that opens it for review; a report tells them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

SHOWN = 12  # hexadecimal digits of the hash that people read


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsed:
    """A model by the name of its file ("shipped" for CryoFed's own) and the SHA-256 of that file.

    `learnt` says in words from which decisions the scores were learnt, "" where they are the model's own.
    """

    name: str
    sha256: str = ""
    learnt: str = ""

    def __str__(self) -> str:
        digest = f" (SHA-256 {self.sha256[:SHOWN]})" if self.sha256 else ""
        return ", ".join(filter(None, [f"{self.name}{digest}", self.learnt]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What a report tells beside the selection itself.

    `review` is the command that begins a review with this selection, "" for the plain one; `refused` says
    why nothing but the report was written, "" where the selection was.
    """

    model: ModelUsed | None = None
    review: str = ""
    refused: str = ""


def model_used(path: Path | None, learnt: str = "") -> ModelUsed:
    """The model of a file that was opened already; None is the one that CryoFed ships."""
    from cryofed.scoring.scorer import SHIPPED

    with (path or SHIPPED).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ModelUsed(name=str(path or "shipped"), sha256=digest, learnt=learnt)
