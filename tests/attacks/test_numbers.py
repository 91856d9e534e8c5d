"""A hostile site answers with numbers that no honest one has: none of them passes the door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract import toy

from cryofed.disk.lines import read_lines
from cryofed.errors import WireError
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.wire.bounds import METRICS, NUMBERS
from cryofed.federation.wire.orders import Answer, Numbers, pack_numbers, pack_order, unpack_numbers
from cryofed.federation.wire.parcels import MAGIC, NUMBERS_SCHEMA, canonical, pack

NAMES = ("alpha", "beta", "gamma")
TOO_MUCH = ("1.7e308", "-1.7e308", "1e400", "Infinity", "-Infinity", "NaN", "1" + "0" * 4000, "-1e7", "1e10")


def with_metrics(data: bytes, metrics: str) -> bytes:
    """The update with other metrics, as a site can write it that does not use our code to pack."""
    length = int.from_bytes(data[8:12], "big")
    header = json.loads(data[12 : 12 + length]) | {"metrics": "HERE"}
    text = canonical(header).replace(b'"HERE"', metrics.encode())
    return MAGIC + len(text).to_bytes(4, "big") + text + data[12 + length :]


def numbers(task: str, payload: str) -> bytes:
    header = {"schema": NUMBERS_SCHEMA, "site": "alpha", "task": task, "round_number": 1}
    return pack(header | {"model_hash": "0" * 64}, payload.encode())


@pytest.mark.parametrize("name", [*METRICS, "path", "0.auc"])
@pytest.mark.parametrize("value", TOO_MUCH)
def test_one_hostile_metric_is_refused_and_the_campaign_goes_on(
    name: str, value: str, tmp_path: Path
) -> None:
    with open_rounds(tmp_path, toy.plan(NAMES, count=1), toy.LAYOUT, toy.START) as rounds:
        order, asked = rounds.begin(NAMES)
        sites = toy.toys(dict.fromkeys(NAMES, "honest"), tmp_path)
        for site in asked:
            made = toy.answer(pack_order(order), rounds.plan, sites[site])
            if site == "alpha":
                forged = with_metrics(bytes(made.data), f'{{"{name}":{value}}}')
                assert rounds.receive(Answer(site=site, data=forged)) in {"wire-schema", "wire-format"}
            else:
                assert rounds.receive(made) is None
        assert rounds.close()
    (report,) = read_lines(tmp_path / "rounds.jsonl")
    assert report["auc"] == 0.7  # the honest sites'
    with open_rounds(tmp_path, toy.plan(NAMES, count=1), toy.LAYOUT, toy.START) as rounds:
        assert rounds.finished  # the checkpoint can be read again


@pytest.mark.parametrize("value", TOO_MUCH)
@pytest.mark.parametrize("task", sorted(NUMBERS))
def test_no_answer_to_the_gate_or_the_statistics_is_out_of_bounds(task: str, value: str) -> None:
    for name in NUMBERS[task]:
        with pytest.raises(WireError):
            unpack_numbers(numbers(task, f'{{"{name}":{value}}}'))


@pytest.mark.parametrize(
    "payload",
    [
        '{"0.auc":1}',
        '{"2.auc":0.5}',
        '{"0.auc":0.5,"0.auc":0.5}',
        '{"../x":0.5}',
        "[]",
        "{" * 9000,
        '{"0.held_out":1.5}',
    ],
)
def test_unknown_names_and_other_spellings_are_refused(payload: str) -> None:
    with pytest.raises(WireError):
        unpack_numbers(numbers("evaluate", payload))


def test_numbers_of_one_task_are_not_those_of_another() -> None:
    told = Numbers(
        site="alpha", task="statistics", round_number=1, model_hash="0" * 64, values={"0.auc": 0.5}
    )
    with pytest.raises(WireError, match="bound"):
        unpack_numbers(pack_numbers(told))


@given(st.dictionaries(st.sampled_from(sorted(NUMBERS["evaluate"])), st.floats()))
def test_whatever_passes_is_finite_and_in_its_bounds(values: dict[str, float]) -> None:
    try:
        told = unpack_numbers(numbers("evaluate", json.dumps(values, sort_keys=True, separators=(",", ":"))))
    except WireError:
        return
    assert all(abs(value) <= 1e9 for value in told.values.values())


def test_a_failure_that_is_no_code_is_not_written_down(tmp_path: Path) -> None:
    with open_rounds(tmp_path, toy.plan(NAMES), toy.LAYOUT, toy.START) as rounds:
        rounds.begin(NAMES)
        assert rounds.receive(Answer(site="alpha", failure="<script>" * 100)) == "malformed"
