"""Finished projects to copy piece by piece into a project under watch."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def finished_sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`site-1` RELION, `site-2` CryoSPARC, two jobs each. Only read it."""
    from cryofed.simulation.sites import write_sites

    out = tmp_path_factory.mktemp("watched") / "sites"
    write_sites(out, 2, 2, seed=3, cryosparc=1)
    return out
