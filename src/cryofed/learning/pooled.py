"""The trunk's numbers of labelled averages in many views, run once where the trunk does not change."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from cryofed.learning.augment import Augmentation, augmented, middle, normalized
from cryofed.library.labelled import Labelled
from cryofed.scoring.network import POOLED, Network

VIEWS = 12  # of each average; a round of 20 steps of 64 hardly meets more
BATCH = 256
KEPT_BYTES = 2**28  # of all sets together that a process keeps
_KEPT: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
_LOCK = Lock()


def pooled_views(
    model: Network, trunk: bytes, labelled: Labelled, changes: Augmentation | None
) -> NDArray[np.float32]:
    """`(VIEWS, n, POOLED)` numbers; `(1, n, POOLED)` of the plain view without `changes`.

    The views are drawn from what they show, so that a federation's every round meets the same ones: they are
    kept, and a round costs no more than its steps. `trunk`: the bytes of the trunk's weights.
    """
    digest = hashlib.sha256(trunk + repr(changes).encode())
    digest.update(np.ascontiguousarray(labelled.images).data)
    key = digest.hexdigest()
    with _LOCK:
        if key in _KEPT:
            _KEPT.move_to_end(key)
            return _KEPT[key]
    views = fresh_views(model, labelled, changes, int(key[:16], 16), VIEWS)
    with _LOCK:
        _KEPT[key] = views
        while len(_KEPT) > 1 and sum(array.nbytes for array in _KEPT.values()) > KEPT_BYTES:
            _KEPT.popitem(last=False)
    return views


def fresh_views(
    model: Network, labelled: Labelled, changes: Augmentation | None, seed: int, views: int
) -> NDArray[np.float32]:
    """`(views, n, POOLED)` numbers, drawn from `seed` alone; `(1, n, POOLED)` without `changes`."""
    count = views if changes else 1
    result = np.empty((count, len(labelled), POOLED), np.float32)
    rng = np.random.default_rng(seed)
    place = next(model.parameters()).device
    with torch.inference_mode():
        for index in range(count):
            for first in range(0, len(labelled), BATCH):
                rows = slice(first, first + BATCH)
                images = torch.from_numpy(labelled.images[rows].astype(np.float32))
                shown = augmented(images, rng, changes) if changes and index else normalized(middle(images))
                result[index, rows] = model.pooled(shown.to(place)).cpu().numpy()
    return result
