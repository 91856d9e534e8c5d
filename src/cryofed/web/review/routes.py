"""The review page's requests: the gallery, its pictures, the draft, and saving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cryofed.errors import CryoFedError
from cryofed.selection.taught import Teachable, unsure_after
from cryofed.web.review.draft import Draft, Drafts, StaleError, state_folder
from cryofed.web.review.gallery import Gallery, as_message, content_key, known
from cryofed.web.review.pictures import RANGE, power_spectrum, quantize, thumbnails
from cryofed.web.server import new_app

PARTICLE = 96  # pixels of a particle's picture
Labels = Literal["none", "hand", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the person decided. All `(n,)` in stack order; `reason` indexes `REASONS`, -1 for none given.

    `fewest`, `coarsest`, `ess`, `scale` and `grade` are as in `Draft`; `grade` None is none.
    """

    kept: NDArray[np.bool_]
    by_hand: NDArray[np.bool_]
    reason: NDArray[np.int64]
    threshold: float
    labels: Labels  # which of them become labels of the library
    learning: bool = False  # whether the scores are those that the decisions by hand taught
    fewest: float | None = None
    coarsest: float | None = None
    ess: float | None = None
    scale: str = "none"
    grade: NDArray[np.int64] | None = None

    @property
    def decided(self) -> dict[int, bool]:
        """Index to kept, of the classes that were decided by hand."""
        return {int(i): bool(self.kept[i]) for i in np.flatnonzero(self.by_hand)}


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


class LearnRequest(BaseModel):
    """What is decided by hand on the page: 1 kept, -1 rejected, 0 left open."""

    model_config = ConfigDict(extra="forbid")

    hand: list[Annotated[int, Field(ge=-1, le=1)]]


def review_app(gallery: Gallery, saving: Saving, drafts: Path | None = None) -> FastAPI:
    """The application of one gallery; drafts go to `drafts`, by default the person's state folder."""
    app = new_app("review.html")
    key = content_key(gallery)
    kept_drafts = Drafts((drafts or state_folder()) / f"{key}.json", len(gallery))
    message = as_message(gallery, key, {"files": saving.files, "library": saving.library})
    pictures = thumbnails(gallery.averages, gallery.radius_px, dark=gallery.dark)
    message |= {"range": RANGE, "thumb": pictures.shape[-1]}
    thumbs = pictures.tobytes()
    forever = {"cache-control": "private, max-age=604800, immutable"}  # the address carries the key

    def fits(draft: Draft) -> None:
        if not len(draft.hand) == len(draft.reason) == len(draft.grade) == len(gallery):
            raise HTTPException(422, f"this gallery has {len(gallery)} averages; reload the page")

    @app.get("/review/gallery")
    def read_gallery() -> JSONResponse:
        return JSONResponse(message | {"draft": dumped(kept_drafts.read())})

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

    @app.get("/review/particles/{index}")
    def read_particles(index: int) -> Response:
        if gallery.particle_images is None or not 0 <= index < len(gallery):
            raise HTTPException(404, "no particles are known of it")
        try:
            images = gallery.particle_images(index)
        except (CryoFedError, OSError) as error:
            raise HTTPException(422, str(error)) from error
        small = thumbnails(
            images, images.shape[-1] / 2, dark=gallery.dark, side=min(PARTICLE, images.shape[-1])
        )
        return Response(
            small.tobytes(), media_type="application/octet-stream", headers={"x-side": str(small.shape[-1])}
        )

    @app.get("/review/draft")
    def see_draft() -> dict[str, Any]:
        return {"draft": dumped(kept_drafts.read())}

    @app.put("/review/draft")
    def keep_draft(draft: Draft) -> JSONResponse:
        fits(draft)
        try:
            return JSONResponse({"revision": kept_drafts.write(draft)})
        except StaleError as error:
            return JSONResponse({"draft": dumped(error.draft)}, status_code=409)

    @app.post("/review/learn")
    def learn(request: LearnRequest) -> dict[str, Any]:
        if gallery.teachable is None or len(request.hand) != len(gallery):
            raise HTTPException(422, "this page shows other classes than the command; reload it")
        return lesson_message(gallery.teachable, np.asarray(request.hand))

    @app.post("/review/save")
    def save(request: SaveRequest) -> JSONResponse:
        fits(request.draft)
        if request.key != key or len(request.kept) != len(gallery):
            raise HTTPException(409, "the page shows another job; reload it")
        if request.labels != "none" and not saving.library:
            raise HTTPException(422, "no library was opened; start the review with --library")
        lines: list[str] = []
        try:
            revision = kept_drafts.write(
                request.draft.model_copy(update={"saved": True}),
                lambda: lines.extend(saving.save(decision_of(request, gallery.threshold))),
            )
        except StaleError as error:
            return JSONResponse({"draft": dumped(error.draft)}, status_code=409)
        except (CryoFedError, OSError) as error:
            raise HTTPException(422, str(error)) from error
        return JSONResponse({"written": lines, "revision": revision})

    return app


def dumped(draft: Draft | None) -> dict[str, Any] | None:
    """The draft as JSON takes it."""
    return draft.model_dump() if draft else None


def lesson_message(teachable: Teachable, hand: NDArray[np.int64]) -> dict[str, Any]:
    """What the decisions teach, as the page takes it: learning begins with one good and one bad decision.

    `score` and `unsure` are null before; `proposal` is the index of the class to decide next, or null.
    """
    decided = {int(i): bool(hand[i] > 0) for i in np.flatnonzero(hand)}
    good, bad = teachable.counts(decided)
    message: dict[str, Any] = {"good": good, "bad": bad, "proposal": teachable.proposal(decided)}
    if not good or not bad:
        return message | {"score": None, "unsure": None}
    score = teachable.taught(decided)
    return message | {"score": known(score), "unsure": unsure_after(score, decided).tolist()}


def decision_of(request: SaveRequest, automatic: float) -> Decision:
    """The request as arrays; `automatic` is the cut where the page has moved none."""
    draft = request.draft
    return Decision(
        kept=np.asarray(request.kept, bool),
        by_hand=np.asarray(draft.hand) != 0,
        reason=np.asarray(draft.reason, np.int64),
        threshold=automatic if draft.threshold is None else draft.threshold,
        labels=request.labels,
        learning=draft.learning,
        fewest=draft.fewest,
        coarsest=draft.coarsest,
        ess=draft.ess,
        scale=draft.scale,
        grade=np.asarray(draft.grade, np.int64) if draft.scale != "none" else None,
    )
