"""Which strategies and codecs go with masks: every one is named, and what passes gives the same model."""

from dataclasses import replace

import numpy as np
import pytest

from cryofed.errors import InputError
from cryofed.federation.wire.codecs import CODECS
from cryofed.federation.strategies.means import weight_of
from cryofed.federation.strategies.registry import STRATEGIES, make_strategy
from cryofed.federation.wire.updates import Update
from cryofed.trust.masks import soundness
from cryofed.trust.masks.fixed_point import FixedPoint

FIXED = FixedPoint(max_norm=10.0, max_weight=1e6, max_sites=64)


def test_every_strategy_and_codec_is_either_sound_or_refused() -> None:
    assert set(STRATEGIES) == {*soundness.SUMS_ONLY, *soundness.REFUSED}
    assert set(CODECS) == {"float32", *soundness.CODECS}
    assert {name for name, kind in STRATEGIES.items() if kind.needs_all} <= set(soundness.REFUSED)


def test_a_refusal_says_why_and_what_to_take() -> None:
    with pytest.raises(InputError, match=r"strategy\.name: 'krum' under pairwise masks; .* take fedavg"):
        soundness.check_strategy("krum", "plan.toml")
    with pytest.raises(InputError, match=r"'new-one' .*not known to need sums only; take one of fedavg"):
        soundness.check_strategy("new-one")
    with pytest.raises(InputError, match=r"guard\.codec: 'int8' under pairwise masks; .*; take float32"):
        soundness.check_codec("int8")
    soundness.check_strategy("fedprox")
    soundness.check_codec("float32")


@pytest.mark.parametrize("name", soundness.SUMS_ONLY)
def test_a_sound_strategy_makes_the_same_model_of_the_sum_as_of_the_parts(name: str) -> None:
    strategy = make_strategy(name, {})
    size = 500
    start = strategy.start(np.random.default_rng(1).normal(size=size).astype(np.float32))
    rng = np.random.default_rng(2)
    one = Update(
        site="a", round_number=1, model_hash="", layout_hash="", steps=3, examples=10,
        vector=np.zeros(size * strategy.channels, np.float32),
    )  # fmt: skip
    parts = [
        replace(one, site=s, examples=n, vector=rng.normal(0, 0.05, len(one.vector)).astype(np.float32))
        for s, n in (("a", 10), ("b", 30), ("c", 60))
    ]
    weighting = getattr(strategy, "weighting", "equal")  # feddyn counts every site the same
    total = sum(FIXED.words(part.vector, weight_of(part, weighting)) for part in parts)
    mean, _ = FIXED.mean(total)
    of_parts = strategy.combine(start, parts)
    of_sum = strategy.combine(start, [replace(one, vector=mean)])
    for found, right in [(of_sum.vector, of_parts.vector)] + [
        (of_sum.memory[key], of_parts.memory[key]) for key in of_parts.memory
    ]:
        # Float32 sums in another order; adaptive steps divide by small numbers.
        np.testing.assert_allclose(found, right, rtol=2e-4, atol=2e-6)
