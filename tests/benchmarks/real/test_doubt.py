"""The table of doubted jobs, and the two halves of the molecules."""

from benchmarks.real.doubt import KINDS, Doubted, table
from benchmarks.real.folds import FOLDS, HALVES
from benchmarks.real.sets import labelled_sets

WHOLE, JUNK, _ = KINDS


def test_each_molecule_is_left_out_by_one_half_and_both_halves_learn_from_others() -> None:
    left_out = [molecule for half in HALVES.values() for molecule in half.molecules]
    assert sorted(left_out) == sorted({one.molecule for one in labelled_sets()})
    for half in HALVES.values():
        kin = [fold.structures for fold in FOLDS.values() if set(fold.molecules) & set(half.molecules)]
        assert {*half.structures} == {one for structures in kin for one in structures}
        assert {one.molecule for one in labelled_sets() if one.training} - {*half.molecules}


def test_the_table_counts_jobs_in_doubt_and_names_what_was_missed() -> None:
    first = [
        Doubted(name="a", kind=WHOLE, doubt=0.3, wrong=0.5),
        Doubted(name="b", kind=WHOLE, doubt=0.1, wrong=0.1),
        Doubted(name="b", kind=JUNK, doubt=0.15, wrong=0.9),  # not yet in doubt
    ]
    second = [
        Doubted(name="a", kind=WHOLE, doubt=0.21, wrong=0.1),
        Doubted(name="b", kind=WHOLE, doubt=0.22, wrong=0.0),
        Doubted(name="b", kind=JUNK, doubt=0.3, wrong=0.9),
    ]
    lines = table({"one": [first, second]}).splitlines()
    assert lines[2] == "| one | whole sets | 2 | 1.5 | 20 % | 10 % | none |"
    assert lines[3] == "| one | bad classes alone | 1 | 0.5 | 90 % | 90 % | b (1 of 2) |"
    assert lines[4] == "| one | good classes alone | 0 | 0.0 | – | – | none |"
    assert lines[-1] == "- one left out: a, b (1 of 2)"
