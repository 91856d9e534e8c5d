"""One server for a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from tests.federation.engines.flower.served import Served

    for module in ("calls", "door"):  # these sites give one sign of life, and a busy machine is slow
        monkeypatch.setattr(f"cryofed.federation.engines.flower.{module}.BEAT_S", 900.0)
    one = Served(tmp_path / "ours")
    yield one
    one.close()
