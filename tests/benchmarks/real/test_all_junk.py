"""Jobs of nothing but junk: what is told of them."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.real.all_junk import Kept, kept, table

from cryofed.errors import InputError


def test_the_table_has_the_worst_job_first_and_counts_jobs_and_classes() -> None:
    jobs = [
        Kept(name="a", classes=7, kept=0, best=0.3, doubt=0.01),
        Kept(name="b", classes=5, kept=1, best=0.8, doubt=0.2),
        Kept(name="c", classes=4, kept=0, best=0.1, doubt=0.0),
    ]
    lines = table(jobs).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| b", "| a", "| c"]
    assert lines[-1] == "Nothing is kept in 2 of 3 jobs; 1 of 16 classes are kept."


def test_every_job_below_the_folder_is_judged_by_the_shipped_model(
    tmp_path: Path, make_relion, make_blobs
) -> None:
    grain = np.random.default_rng(0).normal(size=make_blobs(6).shape).astype(np.float32)
    make_relion(tmp_path / "seed-1/project-1/Class2D/job010", grain, [20, 20, 20, 20, 5, 20])
    [found] = kept(tmp_path)
    assert (found.name, found.classes, found.kept) == ("seed-1/project-1", 5, 0)
    with pytest.raises(InputError, match="no Class2D job; make some"):
        kept(tmp_path / "seed-1/project-1/Class2D/job010")
