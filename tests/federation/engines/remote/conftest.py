"""Libraries that real learners train on, made once for all files of this folder."""

from pathlib import Path

import pytest

from cryofed.cli.main import main
from cryofed.simulation.sites import write_sites

SITES = ("site-1", "site-2", "site-3")


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("libraries")
    write_sites(folder / "projects", 3, 2, seed=5)
    made = {name: folder / f"{name}.db" for name in SITES}
    for name, path in made.items():
        assert main(["harvest", str(folder / "projects" / name), "--library", str(path)]) == 0
    return made
