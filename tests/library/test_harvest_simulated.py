"""Whole simulated sites, harvested: what the expert said is what the library holds."""

from pathlib import Path

import numpy as np
import pytest

from cryofed.library.harvest import walk
from cryofed.library.harvest.importing import USED, harvest
from cryofed.library.reading import meaning
from cryofed.library.store import Library
from cryofed.simulation.sites import write_sites


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sites") / "sites"
    for _ in write_sites(out, sites=3, jobs_per_site=2, seed=5, jobs_per_project=1, cryosparc=1):
        pass
    return out


def test_every_simulated_selection_is_harvested_and_means_what_the_truth_says(
    sites: Path, tmp_path: Path
) -> None:
    with Library(tmp_path / "all.db", create=True) as library:
        outcomes = list(harvest(walk.find([sites]), library))
        assert [o.what for o in outcomes] == [USED] * len(outcomes)
        assert len(outcomes) == 6
        assert {job.program for job in library.jobs()} == {"relion", "cryosparc"}
        for job in library.jobs():
            truth = next(Path(job.path).parent.glob("truth.tsv")).read_text().splitlines()
            quality = [float(line.split("\t")[truth[0].split("\t").index("quality")]) for line in truth[1:]]
            known, _, good, _ = meaning(job)
            kept, rejected = np.array(quality)[known & good], np.array(quality)[known & ~good]
            # Quality runs from 0 to 1 and experts cut at about 0.5, each with an error and a few slips.
            assert kept.mean() > rejected.mean() + 0.25
