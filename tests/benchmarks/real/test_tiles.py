"""Tiles come from where the grid says, and printed text does not stay in them."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.real.sources import Area, Grid
from benchmarks.real.tiles import cut, decode
from tests.benchmarks.real.conftest import png


def test_tiles_follow_the_reading_order_and_the_corner_is_zero() -> None:
    picture = np.zeros((40, 80, 3), np.float32)
    picture[:, :40], picture[:, 40:] = 64, 128
    picture[10:30, 10:30] = 128  # 64 grey levels above the corners: 1
    grid = Grid(tile=40, box=40, places=((0, 0), (40, 0)))
    first, second = cut(picture, grid, 2)
    assert first[20, 20] == 1.0
    assert first[0, 0] == 0.0
    assert (second == 0).all()


def test_only_as_many_tiles_as_classes_are_cut() -> None:
    grid = Grid(tile=20, box=20, places=((0, 0), (20, 0), (40, 0)))
    assert cut(np.ones((20, 60, 3), np.float32), grid, 2).shape == (2, 20, 20)


def test_coloured_text_is_refilled_from_around_it_and_grey_is_left() -> None:
    picture = np.full((32, 32, 3), 100, np.float32)
    picture[10:13, 10:20] = (250, 60, 60)
    picture[20:24, 20:24] = 164
    whole = (Area(top=0, bottom=32, left=0, right=32),)
    grid = Grid(tile=32, box=32, places=((0, 0),), coloured_above=12, coloured=whole)
    (tile,) = cut(picture, grid, 1)
    assert np.abs(tile[8:15, 8:22]).max() < 1e-6  # all around is the grey of the corners
    assert tile[22, 22] == 1.0


def test_colour_outside_its_areas_stays() -> None:
    picture = np.full((32, 32, 3), 100, np.float32)
    picture[10:13, 10:20] = (196, 148, 148)  # mean 164: one above the corners
    elsewhere = (Area(top=20, bottom=32, left=0, right=32),)
    grid = Grid(tile=32, box=32, places=((0, 0),), coloured_above=12, coloured=elsewhere)
    assert cut(picture, grid, 1)[0, 11, 15] == 1.0


def test_an_area_is_refilled_in_the_tiles_that_are_named() -> None:
    picture = np.full((32, 64, 3), 100, np.float32)
    picture[12:16, 12:16] = picture[12:16, 44:48] = 228
    bar = Area(top=10, bottom=18, left=10, right=18, tiles=frozenset({2}))
    first, second = cut(picture, Grid(tile=32, box=32, places=((0, 0), (32, 0)), refill=(bar,)), 2)
    assert first[13, 13] == 2.0
    assert np.abs(second).max() < 1e-6


def test_a_frame_is_replaced_by_its_neighbours() -> None:
    picture = np.full((20, 20, 3), 255, np.float32)
    picture[3:17, 3:17] = 50
    (tile,) = cut(picture, Grid(tile=20, box=20, places=((0, 0),), border=3), 1)
    assert (tile == 0).all()


@pytest.mark.parametrize(("tile", "box"), [(64, 32), (50, 32)])
def test_tiles_are_brought_to_the_box(tile: int, box: int) -> None:
    picture = np.full((tile, tile, 3), 7, np.float32)
    assert cut(picture, Grid(tile=tile, box=box, places=((0, 0),)), 1).shape == (1, box, box)


def test_of_an_enlarged_average_one_pixel_is_taken_for_each_of_its_own() -> None:
    small = np.arange(32 * 32, dtype=np.float32).reshape(32, 32) % 200
    large = np.repeat(np.repeat(small, 3, 0), 3, 1)
    grid = Grid(tile=96, box=32, nearest=32, places=((0, 0),), corner_is_zero=False)
    assert np.array_equal(cut(np.repeat(large[:, :, None], 3, 2), grid, 1)[0], small)


def test_luma_is_what_pillow_gives() -> None:
    from PIL import Image

    colours = np.random.default_rng(1).integers(0, 256, (24, 24, 3)).astype(np.uint8)
    grid = Grid(tile=24, box=24, places=((0, 0),), luma=True, corner_is_zero=False)
    expected = np.asarray(Image.fromarray(colours).convert("L"), np.float32)
    assert np.array_equal(cut(colours.astype(np.float32), grid, 1)[0], expected)


def test_what_is_transparent_is_white() -> None:
    clear = np.zeros((4, 4, 4), np.uint8)
    assert (decode(png(clear)) == 255).all()
