"""The rounds decide who is asked, when a round closes, and what a crash may not lose."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.contract import toy

from cryofed.disk.lines import read_lines
from cryofed.errors import BusyError, FederationError, InputError
from cryofed.federation.aggregator.quorum import Standing, needed, seconds_left
from cryofed.federation.aggregator.rounds import Rounds, open_rounds
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.wire.codecs import encode
from cryofed.federation.wire.orders import Answer, pack_order
from cryofed.federation.wire.parcels import pack_update
from cryofed.federation.wire.updates import Update
from cryofed.learning.vector import Layout

NAMES = ("alpha", "beta", "gamma")


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def one_round(rounds: Rounds, answering: tuple[str, ...], folder: Path) -> None:
    order, asked = rounds.begin(NAMES)
    sites = toy.toys(dict.fromkeys(NAMES, "honest"), folder)
    for name in asked:
        if name in answering:
            rounds.receive(toy.answer(pack_order(order), rounds.plan, sites[name]))


def plan(**rules: float) -> Plan:
    return toy.plan(NAMES, **rules)


@pytest.mark.parametrize(
    ("accepted", "gone", "elapsed", "quorum_at", "left"),
    [
        (0, 0, 0.0, None, 100.0),  # the deadline
        (1, 0, 30.0, None, 70.0),  # below the quorum only the deadline counts
        (2, 0, 30.0, 25.0, 5.0),  # quorum at 25, grace 10: until 35
        (2, 0, 36.0, 25.0, 0.0),
        (2, 0, 96.0, 95.0, 4.0),  # grace never goes beyond the deadline
        (2, 1, 30.0, 25.0, 0.0),  # everybody has answered or is gone
        (0, 2, 30.0, None, 0.0),  # one site left of three: no quorum of 2 can come
    ],
)
def test_a_round_ends_with_all_with_quorum_and_grace_or_at_the_deadline(
    accepted: int, gone: int, elapsed: float, quorum_at: float | None, left: float
) -> None:
    rules = plan(deadline_s=100, grace_s=10).rounds
    standing = Standing(asked=3, accepted=accepted, gone=gone, elapsed_s=elapsed, quorum_at_s=quorum_at)
    assert seconds_left(standing, rules) == left


def test_a_strategy_that_asks_one_site_is_content_with_one() -> None:
    assert needed(plan().rounds, 1) == 1
    assert needed(plan().rounds, 3) == 2


def test_a_late_site_is_left_behind_and_named(tmp_path: Path) -> None:
    clock = Clock()
    with open_rounds(tmp_path, plan(grace_s=10), toy.LAYOUT, toy.START, clock=clock) as rounds:
        one_round(rounds, ("alpha", "beta"), tmp_path)
        assert rounds.seconds_left() == 10
        clock.now = 10
        assert rounds.seconds_left() == 0
        assert rounds.close()
    (report,) = read_lines(tmp_path / "rounds.jsonl")
    assert report["lost"] == {"gamma": "late"}
    assert sorted(report["accepted"]) == ["alpha", "beta"]


def test_a_stale_answer_does_not_end_the_wait_for_the_real_one(tmp_path: Path) -> None:
    with open_rounds(tmp_path, plan(), toy.LAYOUT, toy.START) as rounds:
        one_round(rounds, NAMES, tmp_path)
        rounds.close()
        first, _ = rounds.begin(NAMES)
        sites = toy.toys(dict.fromkeys(NAMES, "honest"), tmp_path)
        stale = toy.answer(pack_order(replace(first, round_number=1)), rounds.plan, sites["gamma"])
        assert rounds.receive(stale) == "wrong_round"
        for name in NAMES[:2]:
            rounds.receive(toy.answer(pack_order(first), rounds.plan, sites[name]))
        assert rounds.seconds_left() > 0
        assert rounds.receive(toy.answer(pack_order(first), rounds.plan, sites["gamma"])) is None
        assert rounds.seconds_left() == 0


def test_a_round_without_quorum_is_tried_again_and_then_names_the_sites(tmp_path: Path) -> None:
    with open_rounds(tmp_path, plan(retries=1), toy.LAYOUT, toy.START) as rounds:
        one_round(rounds, ("alpha",), tmp_path)
        rounds.lose("beta", "dropout")
        assert not rounds.close()
        one_round(rounds, (), tmp_path)  # alpha's update is still there
        with pytest.raises(FederationError, match=r"1 updates, the quorum is 2 \(beta late, gamma late\)"):
            rounds.close()


def test_a_run_after_one_that_gave_up_has_all_its_retries_and_draws_anew(tmp_path: Path) -> None:
    attempts = []
    for _ in range(2):
        with open_rounds(tmp_path, plan(retries=1), toy.LAYOUT, toy.START) as rounds:
            for last in (False, True):
                one_round(rounds, (), tmp_path)
                attempts.append(rounds._running().attempt)
                with pytest.raises(FederationError, match="the quorum is 2") if last else nullcontext():
                    rounds.close()
    assert attempts == [1, 2, 3, 4]  # the first try and one retry, twice


def test_too_few_sites_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with (
        open_rounds(tmp_path, plan(), toy.LAYOUT, toy.START) as rounds,
        pytest.raises(FederationError, match="1 of 3 sites are there and the quorum is 2; start the sites"),
    ):
        rounds.begin(["alpha", "stranger"])


def test_the_sites_of_a_round_depend_on_seed_and_round_alone(tmp_path: Path) -> None:
    names = tuple(f"s{i:03d}" for i in range(50))
    drawn = []
    for folder in ("a", "b"):
        rules = replace(toy.plan(names).rounds, sites_per_round=7)
        agreed = replace(toy.plan(names), rounds=rules)
        with open_rounds(tmp_path / folder, agreed, toy.LAYOUT, toy.START) as rounds:
            drawn.append(rounds.begin(names)[1])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 7


def test_two_runs_cannot_write_one_checkpoint(tmp_path: Path) -> None:
    with (
        open_rounds(tmp_path, plan(), toy.LAYOUT, toy.START),
        pytest.raises(BusyError, match="runs here"),
        open_rounds(tmp_path, plan(), toy.LAYOUT, toy.START),
    ):
        pass


@pytest.mark.parametrize("what", ["plan", "start", "layout"])
def test_a_checkpoint_goes_on_only_with_what_it_was_begun_with(tmp_path: Path, what: str) -> None:
    with open_rounds(tmp_path, plan(), toy.LAYOUT, toy.START):
        pass
    agreed = plan(count=9) if what == "plan" else plan()
    start = toy.START + 1 if what == "start" else toy.START
    layout = toy.OTHER if what == "layout" else toy.LAYOUT
    with (
        pytest.raises(FederationError, match=f"another {what}"),
        open_rounds(tmp_path, agreed, layout, start),
    ):
        pass


def test_a_report_line_lost_or_cut_in_a_crash_is_written_again(tmp_path: Path) -> None:
    with open_rounds(tmp_path, plan(), toy.LAYOUT, toy.START) as rounds:
        for _ in range(2):
            one_round(rounds, NAMES, tmp_path)
            rounds.close()
    path = tmp_path / "rounds.jsonl"
    whole = path.read_text()
    for cut in (whole.splitlines(keepends=True)[0], whole[:-40]):
        path.write_text(cut)
        with open_rounds(tmp_path, plan(), toy.LAYOUT, toy.START):
            pass
        assert [json.loads(line) for line in path.read_text().splitlines()] == [
            json.loads(line) for line in whole.splitlines()
        ]


def test_rounds_stop_early_when_the_held_out_auc_gains_nothing(tmp_path: Path) -> None:
    # Toy sites always report 0.7: the first round is the best, two more bring nothing.
    with open_rounds(tmp_path, plan(count=9, patience=2), toy.LAYOUT, toy.START) as rounds:
        while not rounds.finished:
            one_round(rounds, NAMES, tmp_path)
            rounds.close()
    assert len(read_lines(tmp_path / "rounds.jsonl")) == 3


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    with open_rounds(tmp_path, plan(), toy.LAYOUT, toy.START):
        pass
    (tmp_path / "checkpoint.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0not json at all!")
    with (
        pytest.raises(InputError, match=r"checkpoint\.safetensors: content: not readable"),
        open_rounds(tmp_path, plan(), toy.LAYOUT, toy.START),
    ):
        pass


def test_an_answer_without_an_update_costs_the_site_its_round(tmp_path: Path) -> None:
    with open_rounds(tmp_path, plan(), toy.LAYOUT, toy.START) as rounds:
        one_round(rounds, ("alpha", "beta"), tmp_path)
        assert rounds.receive(Answer(site="gamma", failure="guard-few-examples")) == "guard-few-examples"
        rounds.close()
        assert np.isfinite(rounds.vector).all()
    assert read_lines(tmp_path / "rounds.jsonl")[0]["lost"] == {"gamma": "guard-few-examples"}


def test_a_round_holds_one_vector_in_memory_however_many_sites_there_are(tmp_path: Path) -> None:
    layout = Layout(("w",), ((2_000_000,),))
    vector = np.full(layout.size, 1e-6, np.float32)
    with open_rounds(tmp_path, plan(), layout, vector) as rounds:
        for _ in range(2):
            order, asked = rounds.begin(NAMES)
            update = Update(
                site="", round_number=order.round_number, model_hash=order.model_hash,
                layout_hash=layout.hash, vector=vector, examples=100, steps=1,
            )  # fmt: skip
            for site in asked:
                sent = pack_update(replace(update, site=site), encode(vector, "float32"))
                assert rounds.receive(Answer(site=site, data=sent)) is None
            del order, sent
            tracemalloc.start()
            rounds.close()
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            # The new model, and blocks of 65,536 numbers; the old model and the updates are maps of files.
            assert vector.nbytes < most < 1.7 * vector.nbytes
        assert not rounds.vector.flags.writeable
