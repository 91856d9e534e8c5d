"""What the review page shows of one job: a row per class average, checked before it is served."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import CryoFedError
from cryofed.jobs.job import Images
from cryofed.scoring.reasons import REASONS
from cryofed.selection.taught import Teachable
from cryofed.selection.views import FIRM, LIKELY


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """n class averages with all that is known of them, in stack order.

    `score` `(n,)` in [0, 1], NaN where not scored; `particles` -1 and `resolution_angstrom` NaN where
    unknown; `reason` the likeliest fault in words, "" where there is none; `view` `(n,)` the group of
    similar averages from 1, 0 for none; `label` `(n,)` 1 kept, 0 rejected in an earlier selection, NaN
    for none; `start` `(n,)` what is kept at `threshold` before anyone decides; `pinned` `(n,)` why that is
    not what the threshold alone says, "" where it is. `policy` names what made the threshold, `cuts` has the
    threshold of every policy with a name, and a selection that loses more than the share `max_loss` of the
    particles is asked about. `dark`: protein is darker than its surroundings. `sort` is the
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
    policy: str = ""
    cuts: Mapping[str, float] = field(default_factory=dict)
    max_loss: float = 1.0
    dark: bool = False
    sort: str = "score"
    source: tuple[str, ...] = ()  # the job of each class, where they come from several
    warnings: tuple[str, ...] = ()
    teachable: Teachable | None = None  # None: decisions teach nothing here
    particle_images: Callable[[int], Images] | None = None  # some particles of the class at an index
    ess: NDArray[np.float64] | None = None  # effective sample size of each class, where the program tells it

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
        "hasParticles": gallery.particle_images is not None,
        "policy": gallery.policy,
        "cuts": dict(gallery.cuts),
        "maxLoss": gallery.max_loss,
        "views": {"likely": LIKELY, "firm": FIRM},
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
        "ess": known(gallery.ess) if gallery.ess is not None else [None] * len(gallery),
        "start": gallery.start.tolist(),
        "pinned": list(gallery.pinned),
    }


def known(values: NDArray[np.float64]) -> list[float | None]:
    """Numbers as they are, for a rounded score can change its side of the cut; what is not finite is None."""
    return [float(v) if np.isfinite(v) else None for v in values]
