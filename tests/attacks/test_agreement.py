"""A coordinator must not change what was agreed, nor anybody else in its name."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("nvflare", reason="the engine of real sites is not installed: pip install '.[flare]'")

from tests.contract import toy
from tests.federation.engines.flare.founding import MACHINES, SITES, Founded, found

from cryofed.cli.main import main
from cryofed.errors import AgreementError, FederationError, InputError, WireError
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.agreed import Agreement, agreement_of
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.agreement.signing import KIND, issue, opened_agreement, sign_agreement
from cryofed.federation.agreement.words import described, differences
from cryofed.federation.engines.remote.agreeing import consent_of, prepare, signed_agreement
from cryofed.federation.engines.remote.invitation import read_invitation
from cryofed.federation.engines.remote.learner_process import LearnerProcess
from cryofed.federation.engines.remote.settings import SiteSettings, write_settings
from cryofed.federation.site.consent import Consent
from cryofed.federation.wire.orders import EMPTY, Answer, order, pack_order
from cryofed.trust.envelope import make_signing_key, opened, read_signing_key, seal, signed_bytes
from cryofed.trust.words import fingerprint_words

SITE = SITES[0]
PLAN = Plan(sites=(EnrolledSite(name="a"), EnrolledSite(name="b")))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Founded:
    """A federation whose sites have joined, and accepted nothing yet."""
    return found(tmp_path_factory.mktemp("agreement"), "pact", sites=(SITE,), accepts=False)


class Signer:
    """A coordinator's key, and what it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fingerprint = make_signing_key(folder / "key.pem")
        self.key = read_signing_key(folder / "key.pem")

    def issue(self, plan: Plan) -> bytes:
        issue(self.folder / "agreement.json", plan, self.key, authority="SHA256:AB")
        return (self.folder / "agreement.json").read_bytes()


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "coordinator")


def accepted(consent: Consent, data: bytes) -> Agreement:
    return consent.accept(consent.propose(data).hash, "the test")


def test_what_is_signed_is_the_published_encoding() -> None:
    """The example of DSSE's own specification."""
    told = signed_bytes("http://example.com/HelloWorld", b"hello world")
    assert told == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_no_byte_of_a_signed_document_can_be_changed(signer: Signer) -> None:
    data = seal(KIND, b'{"a":1}', signer.key)
    assert opened(data, KIND, signer.fingerprint, 100) == b'{"a":1}'
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        try:
            payload = opened(changed, KIND, signer.fingerprint, 100)
        except WireError:
            continue
        # Bits that base64 does not use may differ; what was signed may not.
        assert payload == b'{"a":1}', place


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"null", b"[" * 5000, b'{"payload":1,"payloadType":"x","signatures":[]}', b"\xff"],
)
def test_what_is_no_envelope_is_one_error(data: bytes, signer: Signer) -> None:
    with pytest.raises(WireError):
        opened(data, KIND, signer.fingerprint, 100)


def test_a_document_of_another_kind_is_not_taken_for_an_agreement(signer: Signer) -> None:
    with pytest.raises(WireError, match="not a"):
        opened(seal("text/plain", b"x", signer.key), KIND, signer.fingerprint, 100)


def test_an_agreement_of_another_key_is_refused(signer: Signer, tmp_path: Path) -> None:
    other = Signer(tmp_path / "other")
    with pytest.raises(AgreementError, match="signed by the key"):
        opened_agreement(other.issue(PLAN), signer.fingerprint)
    # Nor does the pinned key as a hint help without its signature.
    told = json.loads(other.issue(PLAN))
    told["signatures"][0]["keyid"] = base64.b64encode(signer.key.public_key().public_bytes_raw()).decode()
    with pytest.raises(AgreementError, match="changed since it was signed"):
        opened_agreement(json.dumps(told).encode(), signer.fingerprint)


def test_what_was_verified_is_known_by_its_bytes_and_its_key(signer: Signer, tmp_path: Path) -> None:
    data = signer.issue(PLAN)
    assert opened_agreement(data, signer.fingerprint) is opened_agreement(data, signer.fingerprint)
    with pytest.raises(AgreementError, match="signed by the key"):
        opened_agreement(data, Signer(tmp_path / "other").fingerprint)


def test_the_coordinator_itself_cannot_sign_a_plan_under_another_plans_hash(signer: Signer) -> None:
    made = agreement_of(PLAN, "SHA256:AB")
    told = json.loads(made.payload)
    told["plan_toml"] = commented_plan(replace(PLAN, seed=2))
    payload = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(AgreementError, match="plan_hash"):
        opened_agreement(seal(KIND, payload, signer.key), signer.fingerprint)


def test_an_older_agreement_does_not_come_back(signer: Signer, tmp_path: Path) -> None:
    consent = Consent(tmp_path / "site", signer.fingerprint)
    first, second = signer.issue(PLAN), signer.issue(replace(PLAN, seed=2))
    accepted(consent, first)
    assert consent.agreed(first).version == 1
    with pytest.raises(AgreementError, match="agreement 2, which is not accepted"):
        consent.agreed(second)
    assert consent.agreed(first).version == 1  # until a person has accepted the new one
    accepted(consent, second)
    with pytest.raises(AgreementError, match="agreement 1 is offered again"):
        consent.agreed(first)
    other = replace(opened_agreement(second, signer.fingerprint), plan_toml=commented_plan(PLAN))
    with pytest.raises(AgreementError, match="two agreements 2"):
        consent.agreed(sign_agreement(other, signer.key))


def test_what_is_accepted_is_what_was_read(signer: Signer, tmp_path: Path) -> None:
    consent = Consent(tmp_path / "site", signer.fingerprint)
    read = consent.propose(signer.issue(PLAN))
    consent.propose(signer.issue(replace(PLAN, training=LocalTraining(steps=9999))))  # meanwhile
    with pytest.raises(AgreementError, match="read it again"):
        consent.accept(read.hash, "the test")
    assert consent.accepted() is None


def test_the_accepted_file_cannot_be_changed(signer: Signer, tmp_path: Path) -> None:
    consent = Consent(tmp_path / "site", signer.fingerprint)
    accepted(consent, signer.issue(PLAN))
    path = consent.folder / "accepted.json"
    path.write_bytes(path.read_bytes().replace(b'"sig":"', b'"sig":"A', 1))
    with pytest.raises(InputError, match="restore it from a backup"):
        consent.accepted()


def test_the_words_and_the_difference_name_what_counts(signer: Signer) -> None:
    authority = "SHA256:" + ":".join(["AB"] * 32)
    old, plan = agreement_of(PLAN, authority), replace(PLAN, training=LocalTraining(steps=77))
    new = agreement_of(plan, authority, old)
    told = "\n".join(described(new))
    assert "77 steps" in told
    assert f"{authority}.\n" in told
    assert fingerprint_words(authority) in told
    other = agreement_of(PLAN, "SHA256:" + ":".join(["CD"] * 32), old)
    assert any(fingerprint_words(authority) in line for line in differences(old, other))
    assert "an update: how the model's numbers changed" in told
    assert "No image, no name" in told
    assert "whoever runs the aggregator can read each site's update" in told
    assert "plan.training.steps: 30 -> 77" in differences(old, new)
    assert not [line for line in differences(old, new) if line.startswith(("made", "version"))]
    assert agreement_of(plan, authority, new) is new  # the same terms are no new version


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        (GuardRules(), "Updates are not noised: this agreement promises no"),
        (GuardRules(noised=True), "noised (noise 1 at clip 1) without a budget: this agreement promises no"),
        (GuardRules(private=True, noised=True), "noise 1 at clip 1); the budget is epsilon 8"),
    ],
)
def test_the_words_say_what_noise_there_is_and_whether_it_promises(guard: GuardRules, said: str) -> None:
    told = described(agreement_of(replace(PLAN, guard=guard), "SHA256:AB"))
    assert sum("nois" in line for line in told) == 1
    assert any(said in line for line in told)


def test_the_words_say_how_many_projects_are_drawn() -> None:
    told = described(agreement_of(replace(PLAN, guard=GuardRules(project_share=0.5)), "SHA256:AB"))
    assert any("trains with 50% of its projects" in line for line in told)
    assert not any("of its projects" in line for line in described(agreement_of(PLAN, "SHA256:AB")))


def test_a_plan_that_was_not_signed_does_not_run(one: Founded) -> None:
    prepare(one.plan, one.home)
    moved = replace(one.plan, network=replace(one.plan.network, port=1))
    assert signed_agreement(moved, one.home)  # an address is not a term
    with pytest.raises(FederationError, match="the plan is not that of agreement 1"):
        prepare(replace(one.plan, seed=7), one.home)


def test_a_site_that_has_accepted_nothing_does_not_start(
    one: Founded, capsys: pytest.CaptureFixture[str]
) -> None:
    home = one.sites[SITE]
    (home.folder / "library.db").touch()
    write_settings(home, SiteSettings(name=SITE, organization="Lab", library="library.db"))
    assert consent_of(home).accepted() is None
    with pytest.raises(FederationError, match="has not accepted the federation's agreement"):
        MACHINES.check_site(home)
    assert main(["site", "agreement", "accept", "--home", str(home.folder)]) == 0  # nobody to ask
    assert "not accepted; read it" in capsys.readouterr().out
    assert consent_of(home).accepted() is None


def test_an_invitation_whose_agreement_was_changed_makes_no_key(one: Founded, tmp_path: Path) -> None:
    text = one.home.invitation.read_text()
    changed = tmp_path / "invitation.toml"
    changed.write_text(text.replace('\\"sig\\":\\"', '\\"sig\\":\\"A', 1))
    with pytest.raises(AgreementError, match="the agreement is refused"):
        MACHINES.ask(changed, tmp_path / "site", "site-2", "Lab")
    other = found(tmp_path / "other", "pact", sites=())  # the same name, another coordinator
    theirs = read_invitation(other.home.invitation)
    changed.write_text(text.replace(read_invitation(one.home.invitation).coordinator, theirs.coordinator))
    with pytest.raises(AgreementError, match="signed by the key"):
        MACHINES.ask(changed, tmp_path / "site", "site-2", "Lab")
    assert not (tmp_path / "site").exists()


@pytest.fixture(scope="module")
def learner(one: Founded) -> Iterator[LearnerProcess]:
    """The real learner's process of a site that has accepted agreement 1."""
    home = one.sites[SITE]
    consent = consent_of(home)
    accepted(consent, one.home.agreement.read_bytes())
    write_settings(home, SiteSettings(name=SITE, organization="Lab", library="none.db"))
    made = LearnerProcess(home.folder, home.folder / "learner.log")
    yield made
    made.kill()


def asked(learner: LearnerProcess, one: Founded, text: str, tmp_path: Path) -> str:
    """The code with which the site answers an order that comes with this text."""
    made = order("statistics", 1, EMPTY, plan_hash=one.plan.hash, start_hash="0" * 64, layout_hash="0" * 64)
    (tmp_path / "order").write_bytes(pack_order(made))
    learner.ask({"plan": text, "order": str(tmp_path / "order"), "answer": str(tmp_path / "answer")})
    told = learner.answer(120)
    assert told is not None
    return str(told["failure"])


def test_a_site_works_for_the_accepted_agreement_alone(
    one: Founded, learner: LearnerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = one.sites[SITE]
    agreed = one.home.agreement.read_text()
    assert asked(learner, one, agreed, tmp_path) == "site_error"  # it was let in, and has no library
    assert asked(learner, one, commented_plan(one.plan), tmp_path) == "agreement-forged"
    assert asked(learner, one, "", tmp_path) == "agreement-forged"
    stranger = Signer(tmp_path / "stranger")
    assert asked(learner, one, stranger.issue(one.plan).decode(), tmp_path) == "agreement-forged"
    # The coordinator signs other terms: they wait for a person, and the old ones count.
    changed = replace(one.plan, training=LocalTraining(steps=1, batch=1))
    MACHINES.invite(changed, one.federation)
    new = one.home.agreement.read_text()
    assert asked(learner, one, new, tmp_path) == "agreement-not-accepted"
    assert asked(learner, one, agreed, tmp_path) == "site_error"
    folder = str(home.folder)
    assert main(["site", "agreement", "diff", "--home", folder]) == 0
    shown = capsys.readouterr().out
    assert "plan.training.batch: 64 -> 1" in shown
    assert "agreement 1 counts" in shown
    assert main(["site", "agreement", "accept", "--accept", "0" * 64, "--home", folder]) == 1
    assert asked(learner, one, new, tmp_path) == "agreement-not-accepted"
    assert main(["site", "agreement", "accept", "--yes", "--home", folder]) == 0
    assert asked(learner, one, new, tmp_path) == "site_error"
    assert asked(learner, one, agreed, tmp_path) == "agreement-older"
    MACHINES.invite(one.plan, one.federation)  # as it was, for the other tests


def test_the_refusal_reaches_the_coordinator_in_one_line(tmp_path: Path) -> None:
    plan = toy.plan(("a", "b"), retries=0)
    with open_rounds(tmp_path, plan, toy.LAYOUT, toy.START) as rounds:
        rounds.begin(["a", "b"])
        for site in ("a", "b"):
            rounds.receive(Answer(site=site, failure="agreement-not-accepted"))
        with pytest.raises(FederationError) as told:
            rounds.close()
    assert "a agreement-not-accepted" in str(told.value)
    assert "\n" not in str(told.value)
