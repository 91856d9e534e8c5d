"""The budget belongs to the data, and the noise repeats only where everything repeats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.federation.labelled_blobs import labelled

from cryofed.disk.documents import read_document
from cryofed.errors import GuardError
from cryofed.federation.site.guard.contents import content_hash, keep_records, records_of
from cryofed.federation.site.guard.ledger import Ledger, Spend, ledger_of
from cryofed.federation.site.guard.noise import secret_seed
from cryofed.library.labelled import Labelled

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


def test_a_library_takes_its_ledger_along_into_a_second_sites_folder(tmp_path: Path) -> None:
    pytest.importorskip("dp_accounting")
    anchor = tmp_path / "library.db.privacy"
    first = ledger_of(tmp_path / "one", anchor)
    first.charge(spend(tmp_path / "one", DATA, "library"), 0)
    second = ledger_of(tmp_path / "two", anchor)
    assert second.path == first.path.resolve()
    assert second.charge(spend(second.path.parent, DATA, "library"), 0).runs == 2


@pytest.mark.parametrize("deed", ["deleted", "put back", "begun anew"])
def test_a_ledger_that_was_deleted_or_put_back_refuses(tmp_path: Path, deed: str) -> None:
    pytest.importorskip("dp_accounting")
    anchor, folder = tmp_path / "library.db.privacy", tmp_path / "site"
    paid = spend(folder, DATA, "library")
    ledger_of(folder, anchor).charge(paid, 0)
    path = folder / "ledger.jsonl"
    earlier = path.read_bytes()
    ledger_of(folder, anchor).charge(paid, 0)
    if deed == "deleted":
        path.unlink()
    else:
        path.write_bytes(earlier if deed == "put back" else b"")
    before = read_document(anchor)
    with pytest.raises(GuardError, match=r"ledger: .* must never be deleted or put back"):
        ledger_of(folder, anchor).charge(paid, 0)
    assert read_document(anchor) == before


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
    from cryofed.federation.wire.orders import order
    from cryofed.learning import private
    from cryofed.learning.learner import initial_vector, layout

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
