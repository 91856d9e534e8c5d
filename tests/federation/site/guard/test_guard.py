"""The guards in their order, and the ledger that never forgets."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryofed.errors import GuardError, InputError
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.site.guard.clip import clip
from cryofed.federation.site.guard.ledger import Ledger, Spend, Statement, statement
from cryofed.federation.site.guard.pipeline import guard
from cryofed.federation.site.guard.secret import secret_seed
from cryofed.federation.wire.codecs import decode
from cryofed.federation.wire.updates import Update


def update(vector: object, examples: int = 200, steps: int = 50) -> Update:
    return Update(
        site="site-1",
        round_number=1,
        model_hash="m",
        layout_hash="l",
        vector=np.array(vector, np.float32),
        examples=examples,
        steps=steps,
        metrics={"loss": 0.5},
    )


# check


@pytest.mark.parametrize(
    ("wrong", "rules", "code"),
    [
        (update([1, np.nan]), GuardRules(), "not-finite"),
        (update([1, np.inf]), GuardRules(), "not-finite"),
        (update([0, 0]), GuardRules(), "unchanged"),
        (update([1, 2], examples=99), GuardRules(min_examples=100), "few-examples"),
        (update([1, 2], steps=1), GuardRules(min_steps=2), "few-steps"),
        (replace(update([1, 2]), vector=np.zeros(2)), GuardRules(), "shape"),  # float64
    ],
)
def test_an_update_that_must_not_leave_does_not(wrong: Update, rules: GuardRules, code: str) -> None:
    with pytest.raises(GuardError) as caught:
        guard(wrong, 1, rules, {})
    assert caught.value.code == code


# clip


def test_clip_shortens_each_channel_and_keeps_its_direction() -> None:
    clipped = clip(np.array([3, 4, 0.3, 0.4], np.float32), 1.0, channels=2)
    np.testing.assert_allclose(clipped, [0.6, 0.8, 0.3, 0.4], rtol=1e-6)
    assert clip(clipped, 0) is clipped


def test_the_bound_holds_for_what_leaves_also_with_what_was_left_over() -> None:
    rules = GuardRules(max_norm=1.0, codec="topk", keep=0.5)
    left = {"residual": np.array([50.0, 0, 0, 0], np.float32)}
    sent = decode(guard(update([1, 1, 1, 1]), 1, rules, left).encoded, 4)
    assert np.linalg.norm(sent) <= 1.0 * (1 + 1 / 127)  # and the rounding of 8 bits


# compress


def test_what_compression_left_out_is_sent_in_the_next_round() -> None:
    rules = GuardRules(codec="topk", keep=0.25)
    first = guard(update([8, 1, 0, 0]), 1, rules, {})
    assert decode(first.encoded, 4).tolist() == [8, 0, 0, 0]
    second = guard(update([0.5, 0.5, 0, 0]), 1, rules, first.memory)
    np.testing.assert_allclose(decode(second.encoded, 4), [0, 1.5, 0, 0], rtol=1e-6)


def test_float32_leaves_bit_for_bit_and_keeps_nothing() -> None:
    made = guard(update([0.1, -7e-20, 3]), 1, GuardRules(), {})
    assert decode(made.encoded, 3).tobytes() == update([0.1, -7e-20, 3]).vector.tobytes()
    assert made.memory == {}
    assert made.update.metrics == {"loss": 0.5}


def test_metrics_stay_at_home_when_training_is_private_or_the_policy_says_so() -> None:
    assert guard(update([1]), 1, GuardRules(private=True), {}).update.metrics == {}
    assert guard(update([1]), 1, GuardRules(send_metrics=False), {}).update.metrics == {}


# noise: the ledger

SPEND = Spend(
    library="lib",
    campaign="c1",
    round_number=1,
    examples=1000,
    sampling_rate=0.064,
    noise_multiplier=4.0,  # the accountant is ten times as fast as with 1.0
    steps=50,
)


def test_a_statement_has_its_unit_delta_and_runs_and_composes_all_of_them() -> None:
    pytest.importorskip("dp_accounting")
    one, two = statement([SPEND]), statement([SPEND, SPEND])
    assert one.delta == 1e-4  # 1 / (10 · 1000)
    assert (one.runs, two.runs) == (1, 2)
    assert one.epsilon < two.epsilon < 2 * one.epsilon
    for word in ("δ = 1.0e-04", "record", "2 private trainings", "PLD"):
        assert word in str(two)


def test_epsilon_of_one_plain_gaussian_is_that_of_the_closed_form() -> None:
    pytest.importorskip("dp_accounting")
    from scipy.optimize import brentq
    from scipy.stats import norm

    # Balle and Wang 2018, theorem 8: δ(ε) = Φ(½/σ − ε σ) − e^ε Φ(−½/σ − ε σ), here σ = 2, δ = 1e-4.
    def gap(e: float) -> float:
        return norm.cdf(0.25 - 2 * e) - np.exp(e) * norm.cdf(-0.25 - 2 * e) - 1e-4

    once = replace(SPEND, sampling_rate=1.0, noise_multiplier=2.0, steps=1)
    assert statement([once]).epsilon == pytest.approx(brentq(gap, 0.1, 10), rel=0.01)


def test_nothing_spent_costs_nothing() -> None:
    assert statement([]) == Statement(epsilon=0.0, delta=0.1, runs=0)


def test_the_ledger_adds_up_over_campaigns_and_refuses_before_the_budget_breaks(tmp_path: Path) -> None:
    pytest.importorskip("dp_accounting")
    ledger = Ledger(tmp_path / "privacy.jsonl")
    first = ledger.charge(SPEND, 8.0)
    second = ledger.charge(replace(SPEND, campaign="c2"), 8.0)
    assert second.epsilon > first.epsilon
    assert ledger.charge(replace(SPEND, library="other"), 8.0).epsilon == pytest.approx(first.epsilon)
    with pytest.raises(
        GuardError, match=r"budget: this round would bring the library to ε = .* record"
    ) as caught:
        ledger.charge(replace(SPEND, campaign="c3"), second.epsilon)
    assert caught.value.code == "budget"
    assert len(ledger.spends("lib")) == 2


def test_noise_of_zero_has_no_epsilon_and_is_refused_under_any_budget(tmp_path: Path) -> None:
    pytest.importorskip("dp_accounting")
    with pytest.raises(GuardError, match="ε = inf"):
        Ledger(tmp_path / "privacy.jsonl").charge(replace(SPEND, noise_multiplier=0.0), 8.0)


def test_an_altered_line_stops_the_ledger_and_a_line_cut_by_a_crash_does_not(tmp_path: Path) -> None:
    pytest.importorskip("dp_accounting")
    ledger = Ledger(tmp_path / "privacy.jsonl")
    ledger.charge(SPEND, 0)
    ledger.charge(SPEND, 0)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole[:-10])
    assert len(ledger.spends("lib")) == 1
    ledger.charge(SPEND, 0)
    assert ledger.path.read_bytes() == whole
    lines = whole.splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | {"steps": 1}).encode()
    ledger.path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(InputError, match=r"line 2: it, or a line before it, was altered or damaged"):
        ledger.spends("lib")


def test_noise_repeats_only_where_everything_repeats(tmp_path: Path) -> None:
    seeds = {
        secret_seed(tmp_path, *parts) for parts in [(1, "model"), (2, "model"), (1, "other"), (1, "model")]
    }
    assert len(seeds) == 3
    assert secret_seed(tmp_path / "elsewhere", 1, "model") not in seeds
    assert (tmp_path / "noise.key").stat().st_mode & 0o077 == 0
    assert all(0 <= seed < 2**63 for seed in seeds)
