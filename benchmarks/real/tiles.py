"""Cut a picture of class averages into tiles; printed text is refilled from its surroundings."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.real.sources import Area, Grid

GROWN = 2  # pixels by which printed text reaches beyond its clearly coloured ones
SWEEPS = 400  # of the refilling
LUMA = np.array([19595.0, 38470.0, 7471.0])  # Pillow's whole-number weights of ITU-R 601
SCALE = 64.0  # grey levels that become 1


def decode(data: bytes) -> NDArray[np.float32]:
    """A PNG or JPEG as `(y, x, 3)`, 0 to 255, on white where it is transparent."""
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(white, picture).convert("RGB"), np.float32)


def cut(picture: NDArray[np.float32], grid: Grid, count: int) -> NDArray[np.float32]:
    """The first `count` tiles of a picture `(y, x, 3)` as `(count, box, box)`, in reading order."""
    tiles = [
        _tile(picture[y : y + grid.tile, x : x + grid.tile], grid, number)
        for number, (x, y) in enumerate(grid.places[:count], 1)
    ]
    return np.stack(tiles).astype(np.float32)


def _tile(colours: NDArray[np.float32], grid: Grid, number: int) -> NDArray[np.float32]:
    tile, mask, b = _grey(colours, grid), _printed(colours, grid, number), grid.border
    if b:  # frames are cut off first, so that they take no part in the refilling
        tile, mask = tile[b:-b, b:-b], mask[b:-b, b:-b]
    if mask.any():
        tile = _refilled(tile, mask)
    if b:
        tile = np.pad(tile, b, mode="edge")
    tile = _resized(tile, grid)
    if not grid.corner_is_zero:
        return tile
    # Outside its mask a class average is flat zero; the displays show it as the grey of the corners.
    m = max(2, grid.box // 32)
    corners = [tile[:m, :m], tile[:m, -m:], tile[-m:, :m], tile[-m:, -m:]]
    return np.asarray((tile - np.median(np.concatenate(corners, axis=None))) / SCALE, np.float32)


def _grey(colours: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    if not grid.luma:
        return np.asarray(colours.mean(2), np.float32)
    return np.asarray(
        np.floor((colours.astype(np.float64) @ LUMA + 0.5 * LUMA.sum()) / LUMA.sum()), np.float32
    )


def _printed(colours: NDArray[np.float32], grid: Grid, number: int) -> NDArray[np.bool_]:
    mask = np.zeros(colours.shape[:2], bool)
    if grid.coloured_above is not None:
        mask |= (colours.max(2) - colours.min(2) > grid.coloured_above) & _covered(
            grid.coloured, mask, number
        )
        for _ in range(GROWN):
            mask |= np.any([np.roll(mask, step, axis) for step in (1, -1) for axis in (0, 1)], axis=0)
    return mask | _covered(grid.refill, mask, number)


def _covered(areas: Iterable[Area], like: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
    mask = np.zeros_like(like)
    for area in areas:
        if not area.tiles or number in area.tiles:
            mask[area.top : area.bottom, area.left : area.right] = True
    return mask


def _refilled(tile: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Masked pixels from the smooth (Laplace) surface around them; the tile wraps at its edges."""
    tile = tile.copy()
    tile[mask] = np.median(tile[~mask])
    for _ in range(SWEEPS):
        around = np.roll(tile, 1, 0) + np.roll(tile, -1, 0) + np.roll(tile, 1, 1) + np.roll(tile, -1, 1)
        tile[mask] = (0.25 * around)[mask]
    return tile


def _resized(tile: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    if grid.nearest:
        middle = ((np.arange(grid.nearest) + 0.5) * grid.tile / grid.nearest).astype(int)
        tile = tile[np.ix_(middle, middle)]
    side = tile.shape[0]
    if side == grid.box:
        return tile
    way = Image.Resampling.BOX if side % grid.box == 0 else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(tile).resize((grid.box, grid.box), way))
