"""The learner's process may end while an order is handed to it."""

from pathlib import Path

import pytest

from cryofed.federation.engines.remote.learner_process import LearnerProcess


def test_an_order_to_a_learner_that_was_killed_is_told_by_its_answer_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYOFED_LEARNER", "this")  # the Zen of Python, then the end
    learner = LearnerProcess(tmp_path, tmp_path / "log")
    learner.kill()
    learner._write("{}")  # in the thread of `ask` an error would be lost, or end up in another test
    with pytest.raises(EOFError, match="the learner ended with status"):
        learner.answer(5)
