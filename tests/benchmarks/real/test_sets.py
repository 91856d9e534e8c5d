"""Sets are read from a folder, and those of one molecule stay together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.real.sets import RealSet, may_train, missing_sets, molecules, read_sets
from benchmarks.real.sources import labels, sources

from cryofed.errors import InputError

Make = Callable[..., RealSet]


def test_a_set_in_a_folder_is_read_with_its_labels(
    tmp_path: Path, make_mrc: Callable[..., Path], make_blobs: Callable[..., np.ndarray]
) -> None:
    make_mrc(tmp_path / "warp_bgal8.mrcs", make_blobs(8))
    (of,) = read_sets(tmp_path)
    assert (of.name, of.molecule, len(of)) == ("warp_bgal8", "β-galactosidase", 8)
    assert (of.n_good, of.n_bad) == (4, 3)  # one of the eight is not counted
    assert of.job.total_particles is None


def test_what_is_missing_is_named_with_a_reason(tmp_path: Path) -> None:
    missing = missing_sets(tmp_path)
    assert set(missing) == set(labels())
    assert missing["slicem"] == "build it"
    assert missing["simple_bgal_25cavgs_all"].startswith("not rebuilt: ")


def test_a_stack_of_another_size_is_refused(
    tmp_path: Path, make_mrc: Callable[..., Path], make_blobs: Callable[..., np.ndarray]
) -> None:
    make_mrc(tmp_path / "warp_bgal8.mrcs", make_blobs(7))
    with pytest.raises(InputError, match="7 averages for 8 labels; build warp_bgal8 again"):
        read_sets(tmp_path)


def test_no_molecule_is_on_both_sides(real_set: Make) -> None:
    sets = [real_set("a1", [1, 0], "a"), real_set("a2", [1], "a", training=False)]
    sets += [real_set("b", [1, 0], "b"), real_set("c", [0], "c", training=False)]
    assert {m: [of.name for of in group] for m, group in molecules(sets).items()} == {
        "a": ["a1", "a2"],
        "b": ["b"],
        "c": ["c"],
    }
    assert [of.name for of in may_train(sets, "a")] == ["b"]
    assert [of.name for of in may_train(sets, "c")] == ["a1", "b"]


@pytest.mark.shared
def test_the_development_data_holds_every_set(shared: Path) -> None:
    sets = read_sets(shared / "data")
    assert [of.name for of in sets] == [source.name for source in sources()]
    flat = next(of for of in sets if of.name == "rln4_bgal_job008")
    constant = np.ptp(flat.job.averages, axis=(1, 2)) == 0
    assert constant.sum() == 2  # empty classes are blank in RELION
    assert not (constant & flat.counted).any()
