"""What the gate decided, in words: a headline with the site, its loss, and what to try."""

from __future__ import annotations

from cryofed.federation.aggregator.gate import Measured, decide
from cryofed.federation.agreement.plan import GateRules
from cryofed.federation.telling.verdict import Verdict, verdict


def judged(sites: dict[str, tuple[float, float]], *enrolled: str, **rules: float) -> Verdict:
    """Current and candidate metric of each site."""
    measured = {
        name: Measured(candidate=candidate, current=current, held_out=40, step=0.05)
        for name, (current, candidate) in sites.items()
    }
    decision = decide(measured, GateRules(**rules))  # type: ignore[arg-type]  # of several types
    return verdict(decision.record(), enrolled or tuple(sites))


def test_the_site_that_would_lose_and_its_loss_are_the_headline() -> None:
    told = judged({"north": (0.80, 0.99), "south": (0.95, 0.85)})
    assert told.headline == "Not released: south would lose 0.1000 AUC"  # .95 - .85
    assert told.reasons == ("south: auc goes from 0.9500 to 0.8500",)
    assert (
        "south measured on 40 averages, of which a single one can change the metric by 0.0500"
        in told.remedies[0]
    )
    assert any("federation compare" in remedy for remedy in told.remedies)


def test_the_worst_of_several_is_named_and_the_others_counted() -> None:
    told = judged({"a": (0.95, 0.85), "b": (0.95, 0.75), "c": (0.5, 0.9)}, pooled_tolerance=1)
    assert told.headline == "Not released: b would lose 0.2000 AUC and 1 more"


def test_sites_that_could_not_evaluate_are_named() -> None:
    told = judged({}, "north", "south")
    assert told.headline == "Not released: no site could evaluate the candidate"
    assert told.remedies[0].startswith("north, south did not evaluate: ")


def test_a_small_loss_over_all_sites_says_so() -> None:
    told = judged({"a": (0.90, 0.895), "b": (0.90, 0.899)})  # each within the site's tolerance of .01
    assert (
        told.headline == "Not released: over all sites the candidate loses 0.0030 AUC, the most at a (0.0050)"
    )


def test_who_was_silent_is_told_beside_who_loses() -> None:
    assert judged({"a": (0.95, 0.85)}, "a", "b").remedies[-1].startswith("b did not evaluate: ")


def test_a_metric_that_should_fall_is_told_the_right_way_round() -> None:
    told = judged({"a": (0.10, 0.30)}, metric="brier")  # type: ignore[arg-type]  # of several types
    assert told.headline == "Not released: a would lose 0.2000 Brier score"


def test_a_release_is_told_with_what_it_gained_and_who_was_silent() -> None:
    told = judged({"a": (0.90, 0.92)}, "a", "b")
    assert told.headline == "Released: AUC 0.9000 → 0.9200 on held-out projects of 1 site"
    assert told.reasons == ()
    assert told.remedies[0].startswith("b did not evaluate: ")
