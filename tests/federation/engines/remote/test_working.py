"""A site's learner beside a loop: it answers, dies, hangs, is given up, and a fresh one is always there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cryofed.federation.engines.remote.working import Work


class Learner:
    """Answers as it is told to."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.answers: list[Any] = []
        self.alive, self.warm = True, True

    def ask(self, told: Mapping[str, Any]) -> None:
        assert self.alive
        self.asked.append(told)

    def answer(self, seconds: float) -> Mapping[str, Any] | None:
        told = self.answers.pop(0) if self.answers else None
        if told == "dies":
            self.alive = False
            raise EOFError("the learner ended with status -9")
        return None if told is None else {"failure": told}

    def kill(self) -> None:
        self.alive = False


@pytest.fixture
def made() -> list[Learner]:
    return []


@pytest.fixture
def work(made: list[Learner]) -> Work:
    def make() -> Learner:
        made.append(Learner())
        return made[-1]

    return Work(make)


def test_an_answer_is_a_file_and_the_next_order_finds_no_older_one(
    work: Work, made: list[Learner], tmp_path: Path
) -> None:
    order, answer = tmp_path / "order", tmp_path / "answer"
    answer.write_text("of the order before")
    work.begin("the plan", order, answer)
    assert not answer.exists()
    assert made[0].asked == [{"plan": "the plan", "order": str(order), "answer": str(answer)}]
    assert work.busy
    assert work.outcome() is None
    made[0].answers.append("")
    assert work.outcome() == ("", answer, "")
    assert not work.busy
    assert len(made) == 1  # it stays warm


def test_a_code_comes_without_a_file(work: Work, made: list[Learner], tmp_path: Path) -> None:
    work.begin("", tmp_path / "order", tmp_path / "answer")
    made[0].answers.append("site_error")
    assert work.outcome() == ("site_error", None, "")


def test_a_learner_that_dies_costs_its_order_and_is_replaced_at_once(
    work: Work, made: list[Learner], tmp_path: Path
) -> None:
    work.begin("", tmp_path / "order", tmp_path / "answer")
    made[0].answers.append("dies")
    assert work.outcome() == ("site_crashed", None, "the learner ended with status -9; see learner.log")
    assert [one.alive for one in made] == [False, True]
    work.begin("", tmp_path / "order", tmp_path / "answer")
    assert len(made[1].asked) == 1


def test_an_order_that_nobody_waits_for_ends_with_its_learner(
    work: Work, made: list[Learner], tmp_path: Path
) -> None:
    work.give_up()
    assert len(made) == 1  # nothing was in hand
    work.begin("", tmp_path / "order", tmp_path / "answer")
    work.begin("", tmp_path / "order", tmp_path / "answer")  # a newer one
    assert [one.alive for one in made] == [False, True]
    work.give_up()
    assert [one.alive for one in made] == [False, False, True]
    assert not work.busy
