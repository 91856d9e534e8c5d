"""One site alone: a new model only when it is better on the held-out projects."""

import json
from pathlib import Path

import numpy as np
import pytest

from cryofed.cli.main import main
from cryofed.errors import TrainingError
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.learning.learner import TrainingSettings, initial_vector, train
from cryofed.learning.local import LocalModel, Quality, fine_tune
from cryofed.library.labelled import Labelled
from cryofed.library.labels import Labelling
from cryofed.library.store import Library
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.scorer import score_job

NAN = float("nan")


def job(seed: int, turned_over: bool = False) -> tuple[ClassJob, np.ndarray]:
    """20 classes: half of them a bright disc, half a bright ring; the expert keeps one kind."""
    rng = np.random.default_rng(seed)
    axis = np.arange(64) - 32
    radius = np.hypot(axis[:, None], axis[None, :])
    disc, ring = (radius < 14).astype(float), ((radius > 14) & (radius < 22)).astype(float)
    is_disc = rng.permutation(20) < 10
    averages = np.where(is_disc[:, None, None], disc, ring) + rng.normal(0, 0.2, (20, 64, 64))
    made = ClassJob(
        program="images",
        path=Path("x"),
        name=f"job{seed}",
        averages=averages.astype(np.float32),
        classes=ClassTable.unknown(20),
    )
    return made, is_disc != turned_over


def library(path: Path, jobs: int = 8, turned_over: bool = False) -> Path:
    with Library(path, create=True) as opened:
        for seed in range(jobs):
            made, good = job(seed, turned_over)
            said = Labelling(
                habit="binary", values=good.astype(np.float32), source="me", made_at="2026-01-01"
            )
            opened.add(made, f"project {seed}", [said])
    return path


def of(*figures: tuple[float, float]) -> tuple[Quality, ...]:
    return tuple(Quality(project=i, examples=10, auc=a, brier=b) for i, (a, b) in enumerate(figures))


def outcome(before: tuple[Quality, ...], after: tuple[Quality, ...]) -> LocalModel:
    nothing = np.zeros(0, np.float32)
    return LocalModel(
        vector=nothing, calibration=Calibration(), steps=1, examples=1, before=before, after=after
    )


@pytest.mark.parametrize(
    ("before", "after", "better"),
    [
        (of((0.9, 0.20), (0.8, 0.20)), of((0.9, 0.10), (0.8, 0.20)), True),  # mean Brier .20 to .15
        (of((0.9, 0.20), (0.8, 0.20)), of((0.9, 0.10), (0.8, 0.30)), False),  # mean Brier .20 to .20
        (of((0.9, 0.2000)), of((0.9, 0.1985)), False),  # falls by 0.75 %, less than 1 %
        (of((0.90, 0.20)), of((0.89, 0.10)), False),  # the order is worse by 0.01
        (of((NAN, 0.20)), of((NAN, 0.10)), True),  # one kind of class only: there is no order
    ],
)
def test_better_is_less_error_without_a_worse_order(before, after, better) -> None:
    assert outcome(before, after).better is better


def test_training_needs_labels_of_both_kinds_and_a_held_out_project(tmp_path: Path) -> None:
    with Library(library(tmp_path / "site.db")) as opened:
        training, held_out = opened.labelled(False), opened.labelled(True)
    vector = initial_vector(0)

    def tried(learn: Labelled, compare: Labelled) -> None:
        fine_tune(vector, Calibration(), learn, compare, 1)

    with pytest.raises(TrainingError, match="at least two projects"):
        tried(training, held_out.take(np.zeros(0, np.int64)))
    with pytest.raises(TrainingError, match="both kinds"):
        tried(training.take(training.good), held_out)
    with pytest.raises(TrainingError, match="50 or more"):
        tried(training.take(np.arange(40)), held_out)


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryofed.learning.local.STEPS", (1, 3000))


@pytest.mark.usefixtures("few_steps")
def test_a_site_with_its_own_taste_gets_its_own_model(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    made = library(tmp_path / "site.db")
    out = tmp_path / "model"
    assert main(["train", "--library", str(made), "--out", str(out), "--epochs", "30"]) == 0
    assert f"cryofed select JOB --model {out} --own-model" in capsys.readouterr().out
    card = json.loads((out / "card.json").read_text())
    assert card["auc_after"] > 0.99
    assert card["brier_after"] < card["brier_before"]
    new, good = job(1000)
    scores = score_job(new, out / "model.onnx").score
    assert scores[good].min() > scores[~good].max()
    # What was trained is a release to go on from, and it is not better than itself by 1 %.
    again = ["train", "--library", str(made), "--model", str(out), "--out", str(tmp_path / "next")]
    capsys.readouterr()
    assert main([*again, "--epochs", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["written_to"] == (str(tmp_path / "next") if told["better"] else None)
    assert (tmp_path / "next").exists() is told["better"]
    assert told["held_out_projects"] > 0


@pytest.mark.usefixtures("few_steps")
def test_a_quarter_of_the_change_is_kept_where_there_are_too_few_jobs_to_choose_by(tmp_path: Path) -> None:
    with Library(library(tmp_path / "site.db", 12)) as opened:
        training, held_out = opened.labelled(False), opened.labelled(True)
    few = training.take(training.job < 4)  # of four jobs none is kept from training
    begun = initial_vector(0)
    tried = fine_tune(begun, Calibration(), few, held_out, 1, epochs=2)
    assert tried.share == 0.25
    # 2 epochs of 80 averages in batches of 64 are 2 steps; a quarter of them lies a quarter of the way
    assert tried.steps == 2
    whole = train(begun, few, TrainingSettings(steps=2, learning_rate=3e-4, one_cycle=True), 1).vector
    assert tried.vector == pytest.approx(begun + 0.25 * (whole - begun), abs=1e-6)
    assert np.abs(whole - begun).max() > 1e-4  # there is a change to take a part of


@pytest.mark.usefixtures("few_steps")
def test_where_jobs_can_choose_the_share_of_least_error_is_taken(tmp_path: Path) -> None:
    with Library(library(tmp_path / "site.db", turned_over=True)) as opened:
        training, held_out = opened.labelled(False), opened.labelled(True)
    tried = fine_tune(initial_vector(0), Calibration(), training, held_out, 1, epochs=30)
    assert tried.share == 1.0  # a fresh network knows nothing: all that was learnt is worth keeping


@pytest.mark.usefixtures("few_steps")
def test_the_old_model_is_kept_when_the_new_one_is_not_better(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryofed.learning.local.LESS_BRIER", 1.0)  # nothing is better by 100 %
    out = tmp_path / "model"
    made = library(tmp_path / "site.db")
    assert main(["train", "--library", str(made), "--out", str(out), "--epochs", "1"]) == 0
    assert "the old model is kept" in capsys.readouterr().out
    assert not out.exists()


def test_a_folder_in_use_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/card.json").write_text("mine")
    line = ["train", "--library", str(library(tmp_path / "site.db", 2)), "--out", str(tmp_path / "model")]
    assert main(line) == 1
    assert "not empty" in capsys.readouterr().err
