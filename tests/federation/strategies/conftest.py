"""Updates for the tests of strategies."""

from collections.abc import Callable

import numpy as np
import pytest

from cryofed.federation.wire.updates import Update

Updates = list[Update]


def make_update(site: str, vector: object, examples: int = 1, steps: int = 1) -> Update:
    return Update(
        site=site,
        round_number=1,
        model_hash="m",
        layout_hash="l",
        vector=np.array(vector, np.float32),
        examples=examples,
        steps=steps,
    )


@pytest.fixture
def update() -> Callable[..., Update]:
    return make_update


@pytest.fixture
def random_updates() -> Callable[[int, int], Updates]:
    """`n` updates of `size` numbers, with examples 1, 2, 3 ... and steps 10, 11, 12 ..."""

    def make(n: int, size: int) -> Updates:
        rng = np.random.default_rng(n)
        return [
            make_update(f"site-{i:04}", rng.standard_normal(size), examples=i + 1, steps=10 + i)
            for i in range(n)
        ]

    return make
