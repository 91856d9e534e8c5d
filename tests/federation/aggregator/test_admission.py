"""Every fault of an update is named before any arithmetic; a sound one passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryofed.federation.aggregator.admission import REFUSALS, Expected, admit, update_norm
from cryofed.federation.agreement.plan import AdmissionRules, EnrolledSite, Plan
from cryofed.federation.wire.updates import Update

PLAN = Plan(
    admission=AdmissionRules(max_norm=5.0),
    sites=(EnrolledSite(name="alpha", max_examples=100), EnrolledSite(name="beta")),
)
EXPECTED = Expected(
    round_number=3, model_hash="a" * 64, layout_hash="b" * 64, size=4, channels=1, asked=("alpha", "beta")
)
SOUND = Update(
    site="alpha",
    round_number=3,
    model_hash="a" * 64,
    layout_hash="b" * 64,
    vector=np.array([3, 0, 4, 0], np.float32),
    examples=100,
    steps=1,
    metrics={"loss": 0.1},
)


def test_a_sound_update_passes_at_the_very_bounds() -> None:
    assert update_norm(SOUND.vector, 4) == 5.0  # sqrt(9 + 16), the plan's bound; 100 examples, the site's
    assert admit(SOUND, EXPECTED, PLAN, ()) is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"site": "stranger"}, "not_enrolled"),
        ({"round_number": 2}, "wrong_round"),
        ({"model_hash": "c" * 64}, "wrong_model"),
        ({"layout_hash": "c" * 64}, "wrong_layout"),
        ({"examples": 101}, "too_many_examples"),
        ({"examples": 10**12}, "too_many_examples"),
        ({"examples": 0}, "no_examples"),
        ({"steps": 0}, "no_examples"),
        ({"steps": 51}, "too_many_steps"),  # the plan's default is 50
        ({"metrics": {"loss": float("nan")}}, "bad_metrics"),
        ({"vector": np.zeros(5, np.float32)}, "wrong_length"),
        ({"vector": np.zeros((2, 2), np.float32)}, "wrong_type"),
        ({"vector": np.zeros(4, np.float64)}, "wrong_type"),
        ({"vector": [0, 0, 0, 0]}, "wrong_type"),
        ({"vector": np.array([0, np.inf, 0, 0], np.float32)}, "not_finite"),
        ({"vector": np.array([0, np.nan, 0, 0], np.float32)}, "not_finite"),
        ({"vector": np.array([3, 0, 4.001, 0], np.float32)}, "too_large"),
        ({"vector": np.array([3e38, 3e38, 0, 0], np.float32)}, "too_large"),  # a float32 square overflows
    ],
)
def test_each_fault_has_its_code(change: dict[str, object], code: str) -> None:
    assert admit(replace(SOUND, **change), EXPECTED, PLAN, ()) == code  # type: ignore[arg-type]
    assert code in REFUSALS


def test_every_channel_has_the_bound() -> None:
    two = replace(EXPECTED, channels=2)
    fits, beyond = [3, 0, 4, 0, 0, 0, 0, 5], [3, 0, 4, 0, 0, 0, 0, 5.001]
    assert admit(replace(SOUND, vector=np.array(fits, np.float32)), two, PLAN, ()) is None
    assert admit(replace(SOUND, vector=np.array(beyond, np.float32)), two, PLAN, ()) == "too_large"


def test_a_second_update_of_a_round_is_a_duplicate() -> None:
    assert admit(SOUND, EXPECTED, PLAN, ("alpha",)) == "duplicate"


def test_a_site_that_was_not_drawn_is_not_asked() -> None:
    assert admit(SOUND, replace(EXPECTED, asked=("beta",)), PLAN, ()) == "not_asked"
