"""What the review page shows of one job: a row per class average, checked before it is served."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import CryoFedError
from cryofed.jobs.job import Images
from cryofed.scoring.reasons import REASONS
from cryofed.selection.taught import Teachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """n class averages with all that is known of them, in stack order.

    `score` `(n,)` in [0, 1], NaN where not scored; `particles` -1 and `resolution_angstrom` NaN where
    unknown; `reason` the likeliest fault in words, "" where there is none; `view` `(n,)` the group of
    similar averages from 1, 0 for none; `label` `(n,)` 1 kept, 0 rejected in an earlier selection, NaN
    for none; `start` `(n,)` what is kept at `threshold` before anyone decides; `pinned` `(n,)` why that is
    not what the threshold alone says, "" where it is. A view counts when its best score reaches
    `view_floor` or a class of it is kept. `dark`: protein is darker than its surroundings. `sort` is the
    order to begin with, a name of `order.js`.
    """

    title: str
    detail: str
    averages: Images
    radius_px: float
    pixel_size_angstrom: float | None
    number: NDArray[np.int64]
    particles: NDArray[np.int64]
    resolution_angstrom: NDArray[np.float64]
    score: NDArray[np.float64]
    unsure: NDArray[np.bool_]
    reason: tuple[str, ...]
    view: NDArray[np.int64]
    label: NDArray[np.float64]
    start: NDArray[np.bool_]
    pinned: tuple[str, ...]
    threshold: float
    view_floor: float = 0.2
    dark: bool = False
    sort: str = "score"
    source: tuple[str, ...] = ()  # the job of each class, where they come from several
    warnings: tuple[str, ...] = ()
    teachable: Teachable | None = None  # None: decisions teach nothing here

    def __post_init__(self) -> None:
        rows = ("number", "particles", "resolution_angstrom", "score", "unsure", "reason")
        lengths = {name: len(getattr(self, name)) for name in (*rows, "view", "label", "start", "pinned")}
        if set(lengths.values()) != {len(self.averages)}:
            raise CryoFedError(f"{self.title}: {len(self.averages)} averages, but {lengths}")

    def __len__(self) -> int:
        return len(self.averages)

    @property
    def box(self) -> int:
        """Side of the averages in pixels."""
        return int(self.averages.shape[-1])


def content_key(gallery: Gallery) -> str:
    """32 hexadecimal digits that change with the averages: an unsaved draft belongs to these pictures."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(np.asarray([*gallery.averages.shape], np.int64).tobytes())
    for average in gallery.averages:  # one at a time: a memory map need not be in memory as a whole
        digest.update(np.ascontiguousarray(average).tobytes())
    return digest.hexdigest()


def as_message(gallery: Gallery, key: str, saving: dict[str, Any]) -> dict[str, Any]:
    """The gallery without its pictures, as JSON takes it: unknown is null."""
    return {
        "key": key,
        "title": gallery.title,
        "detail": gallery.detail,
        "box": gallery.box,
        "pixelSize": gallery.pixel_size_angstrom,
        "radius": gallery.radius_px,
        "threshold": gallery.threshold,
        "viewFloor": gallery.view_floor,
        "sort": gallery.sort,
        "warnings": list(gallery.warnings),
        "reasons": list(REASONS),
        "saving": saving,
        "teachable": gallery.teachable is not None,
        "number": gallery.number.tolist(),
        "source": list(gallery.source),
        "particles": [int(n) if n >= 0 else None for n in gallery.particles],
        "resolution": known(gallery.resolution_angstrom),
        "score": known(gallery.score),
        "unsure": gallery.unsure.tolist(),
        "reason": list(gallery.reason),
        "view": gallery.view.tolist(),
        "label": known(gallery.label),
        "start": gallery.start.tolist(),
        "pinned": list(gallery.pinned),
    }


def known(values: NDArray[np.float64]) -> list[float | None]:
    """Numbers to four digits after the point; what is not finite is None."""
    return [round(float(v), 4) if np.isfinite(v) else None for v in values]
