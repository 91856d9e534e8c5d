"""Contact sheets of what was decided wrongly: the pictures stay on the machine that has the sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.real.ours import Told
from benchmarks.real.table import Answer
from cryofed.scoring.prepare import SIDE, prepare_job

COLUMNS = 12
KEPT_WRONGLY, LOST = (200, 60, 40), (30, 140, 70)  # frames: bad but kept, good but rejected
CAPTION = 14  # pixels


def write_sheets(told: Sequence[Told], answers: Mapping[str, Answer], out: Path) -> list[Path]:
    """`NAME.png` for every job with a wrong decision: lost good classes first, then bad ones that were kept.

    Below each picture stands its score; the surest mistakes come first.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for one in told:
        answer = answers[one.name]
        kept = np.asarray(answer.kept)
        wrong = one.counted & np.isfinite(answer.score) & (kept != one.good)
        if wrong.any():
            order = [i for i in np.argsort(answer.score) if wrong[i] and one.good[i]]
            order += [i for i in np.argsort(-answer.score) if wrong[i] and not one.good[i]]
            path = out / f"{one.name}.png"
            _sheet(prepare_job(one.job), one.good, answer.score, order).save(path)
            written.append(path)
    return written


def _sheet(
    images: NDArray[np.float32], good: NDArray[np.bool_], score: NDArray[np.float64], order: Sequence[int]
) -> Image.Image:
    tile = SIDE + 6
    rows = -(-len(order) // COLUMNS)
    sheet = Image.new("RGB", (min(COLUMNS, len(order)) * tile, rows * (tile + CAPTION)), (24, 24, 27))
    draw = ImageDraw.Draw(sheet)
    for place, index in enumerate(order):
        x, y = place % COLUMNS * tile, place // COLUMNS * (tile + CAPTION)
        grey = np.clip((np.nan_to_num(images[index]) + 2.5) * 255 / 7, 0, 255).astype(np.uint8)
        sheet.paste(LOST if good[index] else KEPT_WRONGLY, (x, y, x + tile, y + tile))
        sheet.paste(Image.fromarray(grey), (x + 3, y + 3))
        draw.text((x + 3, y + tile), f"{index + 1}: {score[index]:.2f}", fill=(230, 230, 230))
    return sheet
