"""The federations that tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.federation.engines.flare.founding import Founded, found


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Founded:
    """Provisioned and never started; tests must not change it."""
    return found(tmp_path_factory.mktemp("founded"))


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """One aggregator and four toy sites, running; a test that kills one of them starts it again."""
    from tests.federation.engines.flare.real import Federation

    federation = Federation(tmp_path_factory.mktemp("running"))
    yield federation
    federation.close()
