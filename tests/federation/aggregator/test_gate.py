"""A candidate becomes the release only when nobody loses by it."""

from cryofed.federation.aggregator.gate import Measured, decide
from cryofed.federation.agreement.plan import GateRules


def measured(candidate: float, current: float, held_out: int = 100) -> Measured:
    return Measured(candidate=candidate, current=current, held_out=held_out)


def test_a_better_candidate_is_promoted_by_the_pooled_metric() -> None:
    told = decide({"a": measured(0.90, 0.80, 300), "b": measured(0.80, 0.805, 100)}, GateRules())
    assert told.promoted
    assert told.pooled_candidate == 0.875  # (0.90 * 300 + 0.80 * 100) / 400
    assert told.pooled_current == 0.80125  # (0.80 * 300 + 0.805 * 100) / 400
    assert told.stopped_by == ()


def test_one_site_that_loses_more_than_the_tolerance_stops_it_by_name() -> None:
    told = decide({"a": measured(0.95, 0.80), "b": measured(0.78, 0.80)}, GateRules(site_tolerance=0.01))
    assert not told.promoted
    assert told.stopped_by == ("b: auc goes from 0.8000 to 0.7800",)


def test_a_loss_of_exactly_the_tolerance_passes() -> None:
    rules = GateRules(site_tolerance=0.01)
    assert decide({"a": measured(0.95, 0.80), "b": measured(0.79, 0.80)}, rules).promoted


def test_a_pooled_loss_stops_it_even_where_every_site_is_within_its_tolerance() -> None:
    told = decide({"a": measured(0.795, 0.80), "b": measured(0.80, 0.80)}, GateRules())
    assert told.stopped_by == ("pooled auc goes from 0.8000 to 0.7975",)


def test_a_brier_score_must_not_rise() -> None:
    rules = GateRules(metric="brier")
    assert decide({"a": measured(0.10, 0.12)}, rules).promoted
    assert not decide({"a": measured(0.14, 0.12)}, rules).promoted


def test_nobody_measured_means_nobody_is_promoted() -> None:
    assert decide({}, GateRules()).stopped_by == ("0 sites could evaluate, the plan asks for 1",)
