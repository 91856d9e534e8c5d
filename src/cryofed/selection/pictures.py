"""Class averages as small pictures inside a page."""

from __future__ import annotations

import base64
import functools
import io

import numpy as np
from numpy.typing import NDArray

from cryofed.jobs.job import Images

SIDE = 128  # pixels of a picture, at least; smaller boxes keep their own size
QUALITY = 88
BLOCK = 16  # averages


def data_uris(averages: Images) -> list[str]:
    """Every average as a grey JPEG in a `data:` address; some at a time, for the stack may be large."""
    blocks = (averages[first : first + BLOCK] for first in range(0, len(averages), BLOCK))
    return [_uri(picture) for block in blocks for picture in grey(block)]


def grey(averages: Images) -> NDArray[np.uint8]:
    """`(n, y, x)` 8-bit pictures: binned to about `SIDE` pixels, each on its own scale from dark to bright.

    Black is 2.5 deviations below the mean and white 4 above, or the lowest and highest pixel if nearer.
    """
    small = _binned(averages)
    mean, deviation = small.mean(axis=(1, 2)), small.std(axis=(1, 2))
    black = np.maximum(mean - 2.5 * deviation, small.min(axis=(1, 2)))[:, None, None]
    white = np.minimum(mean + 4 * deviation, small.max(axis=(1, 2)))[:, None, None]
    scaled = (small - black) * (255 / np.maximum(white - black, 1e-12))
    pictures: NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return pictures


def _binned(averages: Images) -> Images:
    box = averages.shape[-1]
    factor = max(1, box // SIDE)
    side = box // factor * factor
    start = (box - side) // 2
    cut = averages[:, start : start + side, start : start + side]
    if factor == 1:
        return np.asarray(cut, np.float32)
    rows = functools.reduce(np.add, (cut[:, i::factor] for i in range(factor)))
    binned: Images = functools.reduce(np.add, (rows[:, :, i::factor] for i in range(factor)))
    return binned


def _uri(picture: NDArray[np.uint8]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
