"""The federations that tests share."""

from __future__ import annotations

import pytest
from tests.federation.flare.founding import Founded, found


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Founded:
    """Provisioned and never started; tests must not change it."""
    return found(tmp_path_factory.mktemp("founded"))
