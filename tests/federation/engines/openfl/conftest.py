"""One server for a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    from tests.federation.engines.openfl.served import Served

    one = Served(tmp_path / "ours")
    yield one
    one.close()
