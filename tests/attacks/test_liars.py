"""A site that lies about how much data it has, or sends far too much, decides nothing by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.contract import toy

from cryofed.disk.lines import read_lines
from cryofed.federation.aggregator.campaign import measured
from cryofed.federation.aggregator.gate import ALWAYS, Measured, decide, differing
from cryofed.federation.aggregator.proportion import held, proportion
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import AdmissionRules, EnrolledSite, GateRules, Plan
from cryofed.federation.wire.codecs import encode
from cryofed.federation.wire.orders import Answer, Numbers, pack_order
from cryofed.federation.wire.parcels import pack_update, unpack_update
from cryofed.learning.vector import Vector

NAMES = ("alpha", "beta", "gamma")
OPEN = replace(toy.plan(NAMES, count=1), sites=tuple(EnrolledSite(name=name) for name in NAMES))


def round_with_a_liar(
    folder: Path, plan: Plan, examples: int, times: float
) -> tuple[Vector, dict[str, object]]:
    """The model after a round in which gamma declares so many examples and sends so long an update."""
    with open_rounds(folder, plan, toy.LAYOUT, toy.START) as rounds:
        order, asked = rounds.begin(NAMES)
        sites = toy.toys(dict.fromkeys(NAMES, "honest"), folder)
        for site in asked:
            data = toy.answer(pack_order(order), plan, sites[site]).data
            if site == "gamma":
                honest = unpack_update(data, toy.LAYOUT.size)
                lie = replace(honest, examples=examples, vector=honest.vector * np.float32(-times))
                data = pack_update(lie, encode(lie.vector, "float32"))
            assert rounds.receive(Answer(site=site, data=data)) is None
        assert rounds.close()
        (report,) = read_lines(folder / "rounds.jsonl")
        return np.array(rounds.vector), report["accepted"]["gamma"]


def test_a_liar_counts_for_a_few_times_the_middle_site_and_the_report_says_so(tmp_path: Path) -> None:
    vector, told = round_with_a_liar(tmp_path / "lie", OPEN, 10**9, 1.0)
    fair, _ = round_with_a_liar(tmp_path / "fair", OPEN, 408, 1.0)  # 4 × 102, the middle one
    assert vector.tobytes() == fair.tobytes()
    assert (told["examples"], told["declared"]) == (408, 10**9)
    believed = replace(OPEN, admission=AdmissionRules(times_median=0.0))
    taken, _ = round_with_a_liar(tmp_path / "believed", believed, 10**9, 1.0)
    assert abs(taken - vector).max() > 0.2  # what the bound saves


def test_an_update_far_longer_than_the_others_is_shortened(tmp_path: Path) -> None:
    long = replace(OPEN, admission=AdmissionRules(max_norm=1e6))
    vector, told = round_with_a_liar(tmp_path / "long", long, 103, 1000.0)
    assert float(told["shortened"]) < 0.01  # type: ignore[arg-type]
    honest = replace(long, admission=AdmissionRules(max_norm=1e6, times_median=0.0))
    unbound, _ = round_with_a_liar(tmp_path / "unbound", honest, 103, 1000.0)
    assert np.linalg.norm(vector) < 0.05 * np.linalg.norm(unbound)


def test_sites_within_the_proportion_are_left_to_the_last_bit(tmp_path: Path) -> None:
    vector, told = round_with_a_liar(tmp_path / "one", OPEN, 103, 1.0)
    unbound = replace(OPEN, admission=AdmissionRules(times_median=0.0))
    assert vector.tobytes() == round_with_a_liar(tmp_path / "two", unbound, 103, 1.0)[0].tobytes()
    assert not {"declared", "shortened"} & set(told)


def answer(site: str, candidate: float, current: float, held_out: float) -> Numbers:
    values = {"0.auc": candidate, "1.auc": current, "0.held_out": held_out}
    return Numbers(site=site, task="evaluate", round_number=1, model_hash="0" * 64, values=values)


def test_held_out_of_a_billion_does_not_outvote_the_gate() -> None:
    answers = {"alpha": answer("alpha", 0.795, 0.80, 100.0), "beta": answer("beta", 0.794, 0.80, 120.0)}
    answers["gamma"] = answer("gamma", 0.99, 0.50, 1e9)  # alone it would carry the pooled metric
    found = measured(answers, OPEN)
    assert found["gamma"].held_out == 240  # twice the middle one
    told = decide(found, OPEN.gate)
    assert not told.promoted
    assert told.stopped_by == ("auc of the middle site changes by -0.0050",)


def test_enrolment_caps_the_weight_too() -> None:
    plan = replace(OPEN, sites=tuple(EnrolledSite(name=name, max_examples=90) for name in NAMES))
    found = measured({name: answer(name, 0.8, 0.8, 1e9) for name in NAMES}, plan)
    assert {site.held_out for site in found.values()} == {90}


@pytest.mark.parametrize(("weights", "most"), [({"a": 1, "b": 10**9}, 2), ({"a": 5, "b": 6, "c": 10**9}, 12)])
def test_of_two_the_smaller_and_of_three_the_middle_one_decides(weights: dict[str, int], most: int) -> None:
    assert max(held(weights, 2.0).values()) == most
    assert held(weights, 0.0) == weights


def test_an_update_of_zeros_is_no_measure_that_silences_all_others() -> None:
    bounds = proportion({"a": 10, "b": 10, "c": 10}, {"a": 0.0, "b": 1.0, "c": 1.0}, 4.0)
    assert bounds.factor(1.0) == 1.0


def gate(**changes: float) -> dict[str, object]:
    measured = {site: Measured(candidate=0.8 + by, current=0.8, held_out=9) for site, by in changes.items()}
    return decide(measured, GateRules()).record()


def test_a_site_whose_answers_always_differ_is_named_and_an_odd_day_is_not() -> None:
    odd, even = gate(a=0.02, b=0.03, c=-0.05), gate(a=0.02, b=0.03, c=0.01)
    assert differing([odd] * (ALWAYS - 1), GateRules()) == {}
    assert differing([even, *[odd] * ALWAYS], GateRules()) == {"c": ALWAYS}
    assert differing([*[odd] * ALWAYS, even], GateRules()) == {}
    assert differing([gate(a=0.02, c=-0.05)] * 9, GateRules()) == {}  # of two nobody knows which
    assert differing([], GateRules()) == {}
