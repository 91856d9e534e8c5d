"""Nothing leaves a site that is not agreed on and written down, and what was written down stays."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.contract import toy
from tests.federation.labelled_blobs import source

from cryofed.cli.main import main
from cryofed.disk.lines import read_lines
from cryofed.errors import AgreementError, InputError
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.agreed import Agreement, agreement_of
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.site.answering import Site, answer
from cryofed.federation.site.outbox import AUDIT, Outbox, check_audit, leaving, read_audit
from cryofed.federation.wire.codecs import encode
from cryofed.federation.wire.orders import EMPTY, Answer, Numbers, order, pack_numbers, pack_order
from cryofed.federation.wire.parcels import acknowledgement, pack_update, unpack_update
from cryofed.federation.wire.updates import NO_AUDIT, Update
from cryofed.learning.learner import initial_vector, layout
from cryofed.learning.vector import vector_hash

PLAN = Plan(
    rounds=RoundRules(count=3),
    training=LocalTraining(steps=2, batch=8),
    guard=GuardRules(min_examples=1),
    sites=(EnrolledSite(name="alpha"), EnrolledSite(name="beta")),
)
AGREED = agreement_of(PLAN, "SHA256:AB")


def site(home: Path, agreement: Agreement = AGREED) -> Site:
    outbox = Outbox(home / "audit", "hub:8102", agreement)
    policy = GuardRules(min_examples=1)
    return Site(name="alpha", source=source(1), folder=home / "work", outbox=outbox, policy=policy)


def asked(number: int = 1, task: str = "train", acknowledged: dict[str, str] | None = None) -> bytes:
    vector = EMPTY if task == "statistics" else initial_vector(0)
    hashes = {"plan_hash": PLAN.hash, "start_hash": "0" * 64, "layout_hash": layout().hash}
    made = order(task, number, vector, **hashes)  # type: ignore[arg-type]
    return pack_order(replace(made, acknowledged=acknowledged or {}))


def test_every_answer_is_written_down_before_it_goes(tmp_path: Path) -> None:
    one = site(tmp_path)
    sent = [answer(asked(1), PLAN, one), answer(asked(1, "statistics"), PLAN, one), answer(b"x", PLAN, one)]
    records = [record.facts for record in read_audit(tmp_path / "audit")]
    assert [record["task"] for record in records] == ["train", "statistics", "any"]
    assert [record["sha256"] for record in records[:2]] == [
        hashlib.sha256(told.data).hexdigest() for told in sent[:2]
    ]
    assert records[2]["failure"] == sent[2].failure == "site-format"
    assert records[0]["destination"] == "hub:8102"
    assert records[0]["agreement_hash"] == AGREED.hash
    assert records[0]["guard"]["min_cell" if "min_cell" in records[0]["guard"] else "min_steps"] == 1
    assert records[0]["order"] == hashlib.sha256(asked(1)).hexdigest()


def test_what_cannot_be_written_down_does_not_leave(tmp_path: Path) -> None:
    one = site(tmp_path)
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / AUDIT).write_text('{"not": "ours"}\n')
    told = answer(asked(), PLAN, one)
    assert (told.failure, told.data) == ("audit", b"")
    assert "was altered or damaged" in (tmp_path / "work" / "site.log").read_text()


@pytest.mark.parametrize("change", ["schema", "numbers", "fields", "bytes"])
def test_what_is_not_agreed_on_stays(change: str, tmp_path: Path) -> None:
    """An agreement that allows less than this version of CryoFed would send."""
    update, *rest = AGREED.egress
    less = {
        "schema": tuple(rest),
        "numbers": (replace(update, numbers=("auc",)), *rest),
        "fields": (replace(update, fields=update.fields[1:]), *rest),
        "bytes": (replace(update, most_bytes=1000), *rest),
    }
    told = answer(asked(), PLAN, site(tmp_path, replace(AGREED, egress=less[change])))
    assert (told.failure, told.data) == ("agreement-egress", b"")
    assert read_audit(tmp_path / "audit") == []


def test_a_number_by_another_name_does_not_pass_for_one_that_is_agreed_on() -> None:
    values = {"examples": 10.0, "good": 5.0}
    told = Numbers(site="alpha", task="statistics", round_number=1, model_hash="0" * 64, values=values)
    assert leaving(pack_numbers(told), AGREED.egress).task == "statistics"
    fewer = tuple(
        replace(one, numbers=("examples",)) if one.task == "statistics" else one for one in AGREED.egress
    )
    with pytest.raises(AgreementError, match="'good' is not agreed on"):
        leaving(pack_numbers(told), fewer)
    for nothing in (b"", b"CRYOFED1", bytes(100)):
        with pytest.raises(AgreementError):
            leaving(nothing, AGREED.egress)


def sent_and_acknowledged(home: Path, rounds: int = 3) -> str:
    """Updates of some rounds; what the aggregator says of the last."""
    told = ""
    for number in range(1, rounds + 1):
        data = answer(asked(number), PLAN, site(home)).data
        told = acknowledgement(data, unpack_update(data, layout().size).audit_hash)
    return told


def test_a_cut_end_is_noticed_by_the_acknowledgement(tmp_path: Path) -> None:
    last = sent_and_acknowledged(tmp_path)
    path = tmp_path / "audit" / AUDIT
    answer(asked(3, "evaluate", {"alpha": last, "beta": "0" * 64}), PLAN, site(tmp_path))
    assert check_audit(tmp_path / "audit")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))  # a sound chain, but for its end
    with pytest.raises(InputError, match="lines were cut off or rewritten"):
        check_audit(tmp_path / "audit")
    # Whoever removes the acknowledgement, too, hears it again with the next order.
    (tmp_path / "audit" / "acknowledged.json").unlink()
    assert answer(asked(4, "train", {"alpha": last}), PLAN, site(tmp_path)).data
    assert "lines were cut off or rewritten" in (tmp_path / "work" / "site.log").read_text()
    with pytest.raises(InputError, match="cut off"):
        check_audit(tmp_path / "audit")


def test_an_audit_that_was_written_anew_does_not_fit_the_acknowledgement(tmp_path: Path) -> None:
    last = sent_and_acknowledged(tmp_path, 2)
    path = tmp_path / "audit" / AUDIT
    records = [json.loads(line) for line in path.read_text().splitlines()]
    records[0]["bytes"] = 1  # and every seal made again
    anew = b""
    for record in records:
        record["previous"] = hashlib.sha256(anew).hexdigest()
        anew += json.dumps(record, sort_keys=True).encode() + b"\n"
    path.write_bytes(anew)
    assert check_audit(tmp_path / "audit")  # the chain itself is sound
    answer(asked(3, "evaluate", {"alpha": last}), PLAN, site(tmp_path))
    with pytest.raises(InputError, match="cut off or rewritten"):
        check_audit(tmp_path / "audit")


def test_a_person_sees_verifies_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent_and_acknowledged(tmp_path, 2)
    home = ["--home", str(tmp_path)]
    assert main(["site", "audit", "show", *home]) == 0
    assert "answer to train" in capsys.readouterr().out
    assert main(["site", "audit", "verify", *home]) == 0
    seal = capsys.readouterr().out.split()[-1]
    before = read_audit(tmp_path / "audit")[1].before
    assert main(["site", "audit", "verify", "--seal", before, *home]) == 0
    assert main(["site", "audit", "verify", "--seal", "0" * 64, *home]) == 1
    assert main(["site", "audit", "export", "--out", str(tmp_path / "out.json"), *home]) == 0
    told = json.loads((tmp_path / "out.json").read_text())
    assert (told["seal"], len(told["records"])) == (seal, 2)
    path = tmp_path / "audit" / AUDIT
    path.write_bytes(path.read_bytes().replace(b"hub:8102", b"hub:8103", 1))
    capsys.readouterr()
    assert main(["site", "audit", "verify", *home]) == 1
    assert "was altered or damaged" in capsys.readouterr().err


def test_the_aggregator_acknowledges_what_it_accepted_also_after_it_was_killed(tmp_path: Path) -> None:
    plan, seal = toy.plan(("a", "b"), count=3), "5" * 64

    def of(site: str, model_hash: str, audit: str) -> bytes:
        change = np.full(toy.LAYOUT.size, 0.1, np.float32)
        made = Update(
            site=site,
            round_number=1,
            model_hash=model_hash,
            layout_hash=toy.LAYOUT.hash,
            vector=change,
            examples=5,
            steps=1,
            audit_hash=audit,
        )
        return pack_update(made, encode(change, "float32"))

    with open_rounds(tmp_path, plan, toy.LAYOUT, toy.START) as rounds:
        made, _ = rounds.begin(["a", "b"])
        assert dict(made.acknowledged) == {}
        data = of("a", made.model_hash, seal)
        assert rounds.receive(Answer(site="a", data=data)) is None
    with open_rounds(tmp_path, plan, toy.LAYOUT, toy.START) as rounds:  # the spool has it
        rounds.begin(["a", "b"])
        assert rounds.receive(Answer(site="b", data=of("b", made.model_hash, NO_AUDIT))) is None
        assert rounds.close()
    (report,) = read_lines(tmp_path / "rounds.jsonl")
    assert report["accepted"]["a"]["audit"] == seal
    assert "audit" not in report["accepted"]["b"]
    with open_rounds(tmp_path, plan, toy.LAYOUT, toy.START) as rounds:
        again, _ = rounds.begin(["a", "b"])
        assert dict(again.acknowledged) == {"a": acknowledgement(data, seal)}
    assert vector_hash(again.vector) == again.model_hash
