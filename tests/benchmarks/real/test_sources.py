"""The two tables fit each other, and say of every set what its users must know."""

from __future__ import annotations

import re

from benchmarks.real.sources import GREY, LABELLED_BY, labels, sources


def test_every_class_of_every_set_has_one_row_of_labels() -> None:
    for source in sources():
        of = labels()[source.name]
        assert len(of) == source.classes, source.name
        assert of.counted.any(), source.name
        assert not (of.good & ~of.counted).any(), source.name


def test_names_are_different_and_every_word_is_a_known_one() -> None:
    assert len({source.name for source in sources()}) == len(sources())
    for source in sources():
        assert source.labelled_by in LABELLED_BY
        assert source.grey in GREY
        assert source.licence
        assert re.fullmatch("[0-9a-f]{64}", source.pixels)


def test_a_set_can_be_rebuilt_or_says_why_not() -> None:
    for source in sources():
        if source.picture is None:
            assert source.not_rebuilt, source.name
            continue
        assert not source.not_rebuilt
        assert re.fullmatch("[0-9a-f]{40}", source.picture.commit)
        assert re.fullmatch("[0-9a-f]{64}", source.picture.sha256)
        assert sorted(labels()[source.name].tile) == list(range(1, source.classes + 1)), source.name
        assert source.grid is None or len(source.grid.places) >= source.classes


def test_all_sets_of_a_molecule_are_one_group() -> None:
    group = {source.name: source.molecule for source in sources()}
    bgal = ["bgal17_a50", "relion_bgal_job009", "rln4_bgal_job008", "warp_bgal8"]
    bgal += ["simple_bgal_25cavgs_all", "himena_relion_bgal_15classes"]
    assert len({group[name] for name in bgal}) == 1
    assert group["trpv1_a50"] == group["simple_TRPV1_5cavgs_iter0_8_16"] != group["bgal17_a50"]
    # Ribosomes of two species and of a mixture: near enough to be left out together.
    assert group["slicem"] == group["slab_ribosome10"] == group["simple_Pf80S_24cavgs"]


def test_what_only_judges_is_never_trained_on() -> None:
    judges = {source.name for source in sources() if not source.training}
    assert {"slab_ribosome10", "ha_trimer75", "insr40", "hexamer50"} <= judges
    assert {name for name in judges if name.startswith(("simple_", "himena_"))} == {
        source.name for source in sources() if source.name.startswith(("simple_", "himena_"))
    }
