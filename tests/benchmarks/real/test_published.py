"""The tables of the pages are those that the scores in this repository give."""

from pathlib import Path

import pytest
from benchmarks.real.commands import main
from benchmarks.real.running.published import SCORES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("page", "names"),
    [("README.md", ["quality"]), ("docs/model.md", ["left-out", "seeds", "peers", "peers-by-set"])],
)
def test_pages_show_what_the_scores_give(
    page: str, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["published"]) == 0
    printed = capsys.readouterr().out
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in names:
        table = text.split(f"<!-- begin {name} -->")[1].split(f"<!-- end {name} -->")[0].strip()
        assert table
        assert table in printed


def test_three_trainings_of_ours_and_every_peer_are_there() -> None:
    names = {path.stem for path in SCORES.glob("*.tsv")}
    assert names >= {"rule", *(f"ours-seed{seed}" for seed in (1, 2, 3))}
    assert {"relion-shape-seed1", "cryosift-shape-seed1", "pairwise-logistic-seed1"} <= names
