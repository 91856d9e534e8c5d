"""The review page's requests: the gallery, its pictures, the draft, and saving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from cryofed.errors import CryoFedError
from cryofed.web.review.draft import Draft, read_draft, state_folder, write_draft
from cryofed.web.review.gallery import Gallery, as_message, content_key
from cryofed.web.review.pictures import RANGE, power_spectrum, quantize, thumbnails
from cryofed.web.server import new_app

Labels = Literal["none", "hand", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the person decided. All `(n,)` in stack order; `reason` indexes `REASONS`, -1 for none given."""

    kept: NDArray[np.bool_]
    by_hand: NDArray[np.bool_]
    reason: NDArray[np.int64]
    threshold: float
    labels: Labels  # which of them become labels of the library


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """Where a decision goes. `files` says what will be written, `library` names the library or is ""."""

    files: str
    library: str
    save: Callable[[Decision], Sequence[str]]  # returns what was written, a line each


class SaveRequest(BaseModel):
    """A decision as the page sends it."""

    model_config = ConfigDict(extra="forbid")

    key: str
    kept: list[bool]
    draft: Draft
    labels: Labels


def review_app(gallery: Gallery, saving: Saving, drafts: Path | None = None) -> FastAPI:
    """The application of one gallery; drafts go to `drafts`, by default the person's state folder."""
    app = new_app("review.html")
    key = content_key(gallery)
    draft_path = (drafts or state_folder()) / f"{key}.json"
    message = as_message(gallery, key, {"files": saving.files, "library": saving.library})
    pictures = thumbnails(gallery.averages, gallery.radius_px, dark=gallery.dark)
    message |= {"range": RANGE, "thumb": pictures.shape[-1]}
    thumbs = pictures.tobytes()
    forever = {"cache-control": "private, max-age=604800, immutable"}  # the address carries the key

    def fits(draft: Draft) -> None:
        if not len(draft.hand) == len(draft.reason) == len(gallery):
            raise HTTPException(422, f"this gallery has {len(gallery)} averages; reload the page")

    @app.get("/review/gallery")
    def read_gallery() -> JSONResponse:
        draft = read_draft(draft_path, len(gallery))
        return JSONResponse(message | {"draft": draft.model_dump() if draft else None})

    @app.get("/review/thumbs")
    def read_thumbs() -> Response:
        return Response(thumbs, media_type="application/octet-stream", headers=forever)

    @app.get("/review/average/{index}")
    def read_average(index: int) -> Response:
        if not 0 <= index < len(gallery):
            raise HTTPException(404, "no such average")
        average = np.asarray(gallery.averages[index], np.float32)
        both = quantize(-average if gallery.dark else average).tobytes() + power_spectrum(average).tobytes()
        return Response(both, media_type="application/octet-stream", headers=forever)

    @app.put("/review/draft", status_code=204)
    def keep_draft(draft: Draft) -> None:
        fits(draft)
        write_draft(draft_path, draft)

    @app.post("/review/save")
    def save(request: SaveRequest) -> dict[str, Any]:
        fits(request.draft)
        if request.key != key or len(request.kept) != len(gallery):
            raise HTTPException(409, "the page shows another job; reload it")
        if request.labels != "none" and not saving.library:
            raise HTTPException(422, "no library was opened; start the review with --library")
        try:
            lines = saving.save(decision_of(request))
        except (CryoFedError, OSError) as error:
            raise HTTPException(422, str(error)) from error
        write_draft(draft_path, request.draft.model_copy(update={"saved": True}))
        return {"written": list(lines)}

    return app


def decision_of(request: SaveRequest) -> Decision:
    """The request as arrays."""
    return Decision(
        kept=np.asarray(request.kept, bool),
        by_hand=np.asarray(request.draft.hand) != 0,
        reason=np.asarray(request.draft.reason, np.int64),
        threshold=request.draft.threshold,
        labels=request.labels,
    )
