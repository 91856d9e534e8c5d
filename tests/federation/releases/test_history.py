"""The history of promotions: each line seals those before it."""

from pathlib import Path

import pytest

from cryofed.errors import InputError
from cryofed.federation.releases.history import Promotion, note_promotion, promotions


def written(folder: Path) -> Path:
    path = folder / "history.jsonl"
    for number, by in ((1, "founding"), (2, "gate of campaign 1"), (1, "ann: worse on cages")):
        note_promotion(path, Promotion(release=number, model="ab" * 32, by=by))
    return path


def test_promotions_are_read_back_in_order_with_their_time(tmp_path: Path) -> None:
    found = promotions(written(tmp_path))
    assert [(line.release, line.by) for line in found] == [
        (1, "founding"),
        (2, "gate of campaign 1"),
        (1, "ann: worse on cages"),
    ]
    assert all(line.time.endswith("+00:00") for line in found)


def test_the_same_promotion_twice_in_a_row_is_one_line(tmp_path: Path) -> None:
    path = written(tmp_path)
    note_promotion(path, Promotion(release=1, model="ab" * 32, by="ann: worse on cages"))
    assert len(promotions(path)) == 3


@pytest.mark.parametrize("change", ["altered", "taken out", "swapped"])
def test_an_altered_history_is_refused_by_its_line(tmp_path: Path, change: str) -> None:
    path = written(tmp_path)
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(
        {
            "altered": first + second.replace(b"gate", b"hand") + third,
            "taken out": first + third,
            "swapped": second + first + third,
        }[change]
    )
    with pytest.raises(
        InputError, match=f"line {1 if change == 'swapped' else 3 if change == 'altered' else 2}"
    ):
        promotions(path)


def test_a_line_cut_by_a_crash_is_dropped_and_the_next_one_seals_what_is_whole(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    assert len(promotions(path)) == 2
    note_promotion(path, Promotion(release=1, model="ab" * 32, by="bob: again"))
    assert [line.by for line in promotions(path)][2] == "bob: again"
