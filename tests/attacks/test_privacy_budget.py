"""The budget belongs to the data, and the noise repeats only where everything repeats."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.federation.labelled_blobs import labelled

from cryofed.errors import GuardError
from cryofed.federation.site.answering import LibraryFile
from cryofed.federation.site.guard.anchors import LEDGER, user_place
from cryofed.federation.site.guard.charging import charge
from cryofed.federation.site.guard.contents import content_hash, keep_records, records_of
from cryofed.federation.site.guard.ledger import Ledger, Spend, Statement
from cryofed.federation.site.guard.secret import secret_seed
from cryofed.federation.wire.orders import order
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.learning.learner import initial_vector
from cryofed.library.labelled import Labelled
from cryofed.library.labels import Labelling
from cryofed.library.store import Library

DATA = labelled(40, 0)


def spend(folder: Path, data: Labelled, library: str) -> Spend:
    return Spend(
        library=library,
        campaign="c" * 64,
        round_number=1,
        examples=len(data),
        sampling_rate=0.5,
        noise_multiplier=4.0,
        steps=2,
        records=keep_records(folder, records_of(data)),
    )


def relabelled(data: Labelled) -> Labelled:
    good = data.good.copy()
    good[0] = not good[0]
    return replace(data, good=good, target=good.astype(np.float32))


@pytest.mark.parametrize(
    "dodge",
    [
        DATA,  # copied, or renamed
        relabelled(DATA),
        DATA.take(np.arange(40)[::-1].copy()),
        Labelled.join([DATA.take(np.arange(1)), labelled(40, 1)]),  # one average among others
    ],
)
def test_the_same_averages_under_another_name_spend_from_the_same_budget(
    tmp_path: Path, dodge: Labelled
) -> None:
    pytest.importorskip("dp_accounting")
    ledger = Ledger(tmp_path / "ledger.jsonl")
    once = ledger.charge(spend(tmp_path, DATA, "/a/library.db"), 0)
    twice = ledger.charge(spend(tmp_path, dodge, "/b/copy.db"), 0)
    assert (once.runs, twice.runs) == (1, 2)
    assert twice.epsilon > once.epsilon
    assert len(ledger.spends("/b/copy.db")) == 2
    other = ledger.charge(spend(tmp_path, labelled(40, 7), "/c/other.db"), 0)
    assert other.runs == 1


def library(path: Path, seed: int = 0) -> Path:
    """A library of one job: eight blobs and their labels."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((64, 64)) - 32
    averages = rng.normal(size=(8, 64, 64)) + np.exp(-(x**2 + y**2) / 128)
    job = ClassJob(
        program="images",
        path=path,
        name="job",
        averages=averages.astype(np.float32),
        classes=ClassTable.unknown(8),
    )
    values = np.arange(8) % 2
    labels = Labelling(
        habit="binary", source="test", made_at="2026-01-01T00:00:00+00:00", values=values.astype(np.float32)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with Library(path, create=True) as made:
        made.add(job, "project", [labels])
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own place of this test."""
    pytest.importorskip("dp_accounting")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return user_place()


def pay(folder: Path, file: Path) -> Statement:
    """One private training of a library at a site."""
    made = order("train", 1, initial_vector(0), plan_hash="c" * 64, start_hash="0" * 64, layout_hash="a" * 64)
    source = LibraryFile(file)
    return charge(folder, source, source.labelled(None), made, rate=1.0, noise=4.0, steps=2, most=0.0)


def moved(file: Path, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(file, to))


def copied(file: Path, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(file, to))


# What an operator may do with the library between two trainings, and where the second one is done.
DODGES: dict[str, Callable[[Path, Path], tuple[Path, Path]]] = {
    "nothing": lambda file, folder: (file, folder),
    "copied": lambda file, folder: (copied(file, folder.parent / "elsewhere/copy.db"), folder),
    "renamed": lambda file, folder: (moved(file, file.with_name("other.db")), folder),
    "second site": lambda file, folder: (file, folder.parent / "second"),
    "copied to a second site": lambda file, folder: (
        copied(file, folder.parent / "second/library.db"),
        folder.parent / "second",
    ),
    "harvested anew": lambda file, folder: (
        library(folder.parent / "new/library.db"),
        folder.parent / "second",
    ),
    "site's folder moved": lambda file, folder: (file, moved(folder, folder.with_name("moved"))),
}


@pytest.mark.parametrize("dodge", DODGES)
def test_whatever_becomes_of_the_file_the_averages_pay_from_one_budget(
    tmp_path: Path, place: Path, dodge: str
) -> None:
    file, folder = library(tmp_path / "one/library.db"), tmp_path / "one/work"
    first = pay(folder, file)
    second = pay(*reversed(DODGES[dodge](file, folder)))
    assert (first.runs, second.runs) == (1, 2)
    assert second.epsilon > first.epsilon


# And with the ledger, before a second training.
DEEDS: dict[str, Callable[[Path, bytes], object]] = {
    "deleted": lambda folder, _: (folder / LEDGER).unlink(),
    "emptied": lambda folder, _: (folder / LEDGER).write_bytes(b""),
    "put back": lambda folder, earlier: (folder / LEDGER).write_bytes(earlier),
    "the whole folder deleted": lambda folder, _: shutil.rmtree(folder),
    "put back with its records": lambda folder, earlier: (
        shutil.rmtree(folder / "records"),
        (folder / LEDGER).write_bytes(earlier),
    ),
}


@pytest.mark.parametrize("kept", ["library", "user", "both"])
@pytest.mark.parametrize("deed", DEEDS)
def test_a_ledger_that_was_deleted_or_put_back_refuses(
    tmp_path: Path, place: Path, deed: str, kept: str
) -> None:
    """One of the two anchors is enough: the library may be an old copy, or the user's place be gone."""
    file, folder = library(tmp_path / "library.db"), tmp_path / "site"
    before = file.read_bytes()
    pay(folder, file)
    earlier = (folder / LEDGER).read_bytes()
    pay(folder, file)
    DEEDS[deed](folder, earlier)
    if kept == "library":
        shutil.rmtree(place)
    elif kept == "user":
        file.write_bytes(before)
    for _ in range(2):
        with pytest.raises(GuardError, match=r"ledger: .* must never be deleted or put back"):
            pay(folder, file)


def test_two_ledgers_of_one_set_of_averages_are_added_up(tmp_path: Path, place: Path) -> None:
    """Both were spent from before either knew of the other: on two machines, or by two users."""
    one, two = library(tmp_path / "one/library.db"), library(tmp_path / "two/library.db")
    pay(tmp_path / "one/work", one)
    shutil.move(place, tmp_path / "aside")
    assert pay(tmp_path / "two/work", two).runs == 1
    shutil.copytree(tmp_path / "aside", place, dirs_exist_ok=True)
    assert len([*place.glob("*.json")]) == 2
    assert pay(tmp_path / "two/work", two).runs == 3
    assert pay(tmp_path / "one/work", one).runs == 4


def test_other_averages_have_a_budget_of_their_own(tmp_path: Path, place: Path) -> None:
    pay(tmp_path / "work", library(tmp_path / "one.db"))
    assert pay(tmp_path / "work", library(tmp_path / "two.db", seed=5)).runs == 1


@pytest.mark.parametrize("content", [b"", b"\0" * 31, b"\0" * 33])
def test_a_noise_key_of_another_length_than_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "noise.key").write_bytes(content)
    with pytest.raises(GuardError, match=r"noise-key: .*not 32"):
        secret_seed(tmp_path, 1)


def test_one_corrected_label_is_another_set_of_the_same_averages() -> None:
    changed = relabelled(DATA)
    assert content_hash(changed) != content_hash(DATA) == content_hash(labelled(40, 0))
    assert records_of(changed).tolist() == records_of(DATA).tolist()


def test_after_a_corrected_label_the_same_order_gives_other_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An aggregator that asks twice could else take one update from the other and keep the difference."""
    pytest.importorskip("opacus")
    pytest.importorskip("dp_accounting")
    from cryofed.federation.agreement.plan import LocalTraining, Plan
    from cryofed.federation.agreement.rules import GuardRules
    from cryofed.federation.site.answering import InMemory, Site
    from cryofed.federation.site.trainer import Trainer
    from cryofed.learning import private
    from cryofed.learning.learner import layout

    seeds: list[int] = []

    def noted(_: object, __: object, ___: object, privacy: private.Privacy, **____: object) -> None:
        seeds.append(privacy.secret_seed)
        raise InterruptedError

    monkeypatch.setattr(private, "train_privately", noted)
    plan = Plan(training=LocalTraining(steps=1, batch=8))
    made = order(
        "train", 1, initial_vector(0), plan_hash=plan.hash, start_hash="0" * 64, layout_hash=layout().hash
    )
    rules = GuardRules(private=True, max_epsilon=0.0)
    for data, asked in (
        (DATA, rules),
        (relabelled(DATA), rules),
        (DATA, replace(rules, noise_multiplier=2.0)),
        (DATA, replace(rules, sample_norm=0.5)),
        (DATA, rules),
    ):
        site = Site(name="alpha", source=InMemory(data, data), folder=tmp_path, policy=asked)
        with pytest.raises(InterruptedError):
            Trainer(made, plan, asked, site, data)(made.vector)
    assert len(set(seeds[:4])) == 4
    assert seeds[4] == seeds[0]
