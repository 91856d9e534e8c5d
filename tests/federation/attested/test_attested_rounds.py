"""In profile attested nothing that comes of a site's data leaves before the aggregator has proven itself.

The chip is a test's own, under a test root: only Python can name one, and nothing under it is ever called
attested to a person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from tests.federation.labelled_blobs import source
from tests.trust.attestation.makers import MEASUREMENT, NOW, Amd

from cryofed.disk.documents import read_document, write_document
from cryofed.disk.lines import read_lines
from cryofed.errors import FederationError, InputError
from cryofed.federation.aggregator.attested import STANDING, Asking, Attested, Proving
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.agreed import agreement_of
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules
from cryofed.federation.agreement.plan_file import commented_plan, read_plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.agreement.words import described
from cryofed.federation.engines.embedded.carrier import InlineCarrier
from cryofed.federation.site.answering import Site, answer
from cryofed.federation.site.attesting import Claim, Witness, forget_proof, proof_file, site_binding
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import EMPTY, Answer, order, pack_order
from cryofed.federation.wire.papers import PROOF_STEPS, SITE_STEP, pack_paper, unpack_paper
from cryofed.federation.wire.parcels import PAPER_SCHEMA, schema_of
from cryofed.learning.learner import initial_vector, layout
from cryofed.trust.attestation.binding import Binding
from cryofed.trust.attestation.collect import collect
from cryofed.trust.attestation.evidence import MAX_BYTES, Evidence, SnpReport
from cryofed.trust.attestation.policy import Policy
from cryofed.trust.attestation.verdict import Verdict
from cryofed.trust.attestation.verifying import verify_under

CHIP = Amd()
KEY = "SHA256:" + ":".join(["A1"] * 32)
AGREEMENT = "5c" * 32
EASY = GuardRules(min_examples=1)  # of batches of eight
PLAN = Plan(
    profile="attested",
    engine="flare",
    rounds=RoundRules(count=1, min_updates=2, retries=0),
    training=LocalTraining(steps=1, batch=8),
    guard=EASY,
    attestation={"snp": {"measurements": [MEASUREMENT.hex()], "require_crl": False}},
    sites=(EnrolledSite(name="alpha"), EnrolledSite(name="beta")),
)
GENUINE = Witness(
    AGREEMENT, KEY, lambda evidence, policy, told, _: verify_under(CHIP.roots, evidence, policy, told, NOW)
)


def foreign(evidence: Evidence, told: Binding) -> Evidence:
    """The report of one chip with the certificate of another."""
    machine, other = evidence.machine, Amd().evidence(told).machine
    assert isinstance(machine, SnpReport)
    assert isinstance(other, SnpReport)
    return replace(evidence, machine=replace(machine, vcek=other.vcek))


Chip = Callable[[Binding], Evidence]


def sites_of(folder: Path, witness: Witness | None = GENUINE) -> dict[str, Site]:
    return {
        name: Site(name=name, source=source(seed, 30), folder=folder / name, policy=EASY, witness=witness)
        for seed, name in enumerate(PLAN.site_names)
    }


def run(folder: Path, sites: dict[str, Site], chip: Chip = CHIP.evidence, plan: Plan = PLAN) -> list[str]:
    """Run the rounds; what was asked of sites, in order."""
    asked: list[str] = []

    def spy(data: Buffer, plan: Plan, site: Site) -> Answer:
        asked.append(unpack_paper(data).task if schema_of(data) == PAPER_SCHEMA else "order")
        return answer(data, plan, site)

    proving = Proving(partial(GENUINE.binding, plan), chip)
    carrier = Attested(InlineCarrier(plan, sites, spy), plan, layout().hash, proving=proving)
    with open_rounds(folder, plan, layout(), initial_vector(0), patient=True) as rounds:
        run_rounds(rounds, carrier)
    return asked


def test_a_proven_aggregator_gets_updates_and_only_then(tmp_path: Path) -> None:
    sites = sites_of(tmp_path / "sites")
    asked = run(tmp_path / "run", sites)
    assert asked == ["challenge", "challenge", "evidence", "evidence", "order", "order"]
    (report,) = read_lines(tmp_path / "run" / "rounds.jsonl")
    assert set(report["accepted"]) == {"alpha", "beta"}
    # Under a test root nothing is called attested, whatever it proves there.
    assert read_document(proof_file(tmp_path / "sites" / "alpha"))["status"] == "unattested"


@pytest.mark.parametrize(
    ("chip", "word"),
    [
        (partial(CHIP.evidence, measurement=b"\x01" * 48), "measurement"),
        (partial(CHIP.evidence, policy=0xB0000), "debug"),
        (lambda told: foreign(CHIP.evidence(told), told), "signature"),  # a key that no certificate names
        (lambda told: CHIP.evidence(replace(told, nonce=bytes(32))), "nonce"),  # replayed
        (lambda told: CHIP.evidence(replace(told, tls_key=bytes(32))), "tls-key"),  # relayed
        (lambda told: CHIP.evidence(replace(told, agreement=bytes(32))), "agreement"),
        (lambda told: CHIP.evidence(replace(told, role="site")), "role"),
    ],
)
def test_an_aggregator_that_is_not_proven_gets_nothing(tmp_path: Path, chip: Chip, word: str) -> None:
    sites = sites_of(tmp_path / "sites")
    with pytest.raises(FederationError, match=r"alpha guard-unattested, beta guard-unattested"):
        run(tmp_path / "run", sites, chip)
    log = (tmp_path / "sites" / "alpha" / "site.log").read_text()
    assert "the aggregator is not proven" in log
    assert word in log
    assert not (tmp_path / "sites" / "alpha" / "last.answer").exists()  # it has not even trained


def test_under_the_chip_makers_roots_a_tests_chip_proves_nothing(tmp_path: Path) -> None:
    sites = sites_of(tmp_path / "sites", Witness(AGREEMENT, KEY))
    with pytest.raises(FederationError, match="guard-unattested"):
        run(tmp_path / "run", sites)


def test_an_order_before_any_proof_or_after_it_has_aged_is_refused(tmp_path: Path) -> None:
    sites = sites_of(tmp_path / "sites")
    hashes = {"plan_hash": PLAN.hash, "start_hash": "0" * 64, "layout_hash": layout().hash}
    for task in ("train", "evaluate", "statistics"):
        data = pack_order(order(task, 1, initial_vector(0), **hashes))  # type: ignore[arg-type]
        assert answer(data, PLAN, sites["alpha"]).failure == "guard-unattested"
    run(tmp_path / "run", sites)
    assert not answer(data, PLAN, sites["alpha"]).failure
    file = proof_file(tmp_path / "sites" / "alpha")
    write_document(file, read_document(file) | {"until": 1.0})
    assert answer(data, PLAN, sites["alpha"]).failure == "guard-unattested"
    run(tmp_path / "run2", sites)
    forget_proof(tmp_path / "sites" / "alpha")  # as a process does that begins
    assert answer(data, PLAN, sites["alpha"]).failure == "guard-unattested"
    run(tmp_path / "run3", sites)
    other = replace(sites["alpha"], witness=replace(GENUINE, agreement="6d" * 32))
    assert answer(data, PLAN, other).failure == "guard-unattested"


def test_evidence_is_taken_once_and_only_where_it_was_asked_for(tmp_path: Path) -> None:
    seen: list[bytes] = []

    def keep(data: Buffer, plan: Plan, site: Site) -> Answer:
        seen.append(bytes(data))
        return answer(data, plan, site)

    sites = sites_of(tmp_path / "sites")
    proving = Proving(partial(GENUINE.binding, PLAN), CHIP.evidence)
    carrier = Attested(InlineCarrier(PLAN, sites, keep), PLAN, layout().hash, proving=proving)
    carrier.ask(b"", ["alpha"])
    proof = next(data for data in seen if unpack_paper(data).task == PROOF_STEPS[1])
    assert answer(proof, PLAN, sites["alpha"]).failure == "guard-unattested"


def test_an_open_federation_answers_no_challenge(tmp_path: Path) -> None:
    opened = replace(PLAN, profile="open")
    with pytest.raises(FederationError, match="guard-unattested"):
        run(tmp_path / "run", sites_of(tmp_path / "sites"), plan=opened)


def test_the_agreement_names_the_aggregators_key_and_what_may_run() -> None:
    made = agreement_of(PLAN, KEY, keys={"aggregator": KEY, "alpha": KEY})
    assert {one.role: one.key for one in made.members}["aggregator"] == KEY
    assert made.plan.attestation == PLAN.attestation
    assert {"challenge", "evidence"} <= {one.task for one in made.egress}
    other = agreement_of(replace(PLAN, attestation={"snp": {"measurements": ["00" * 48]}}), KEY)
    assert other.plan.hash != made.plan.hash


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"attestation": {}}, "no machine that could attest"),
        ({"attestation": {"tpm": {"measurements": ["00"], "keys": ["00"]}}}, "no machine that could attest"),
        ({"attestation": {"snp": {"measurements": ["00" * 48], "roots": "mine"}}}, "an unknown field"),
        ({"engine": "embedded"}, "attested over engine embedded"),
    ],
)
def test_a_plan_that_nothing_could_prove_is_refused(
    tmp_path: Path, changed: dict[str, object], words: str
) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(commented_plan(replace(PLAN, **changed)))  # type: ignore[arg-type]  # one field each
    with pytest.raises(InputError, match=words):
        read_plan(path)


SITES_PLAN = replace(
    PLAN,
    profile="open",
    attestation={"sites": {"snp": {"measurements": [MEASUREMENT.hex()], "require_crl": False}}},
)


def believing(evidence: Evidence, policy: Policy, told: Binding, _: datetime) -> Verdict:
    return verify_under(CHIP.roots, evidence, policy, told, NOW)


def ask_of_sites(folder: Path, claims: dict[str, Claim | None], plan: Plan = SITES_PLAN) -> None:
    """Run the rounds where each site proves itself with its own chip."""
    genuine = Claim(AGREEMENT, KEY, CHIP.evidence)
    sites = {
        name: replace(site, claim=claims.get(name, genuine))
        for name, site in sites_of(folder / "sites").items()
    }
    asking = Asking(lambda site, nonce: site_binding(plan, site, KEY, AGREEMENT, nonce), believing)
    proving = Proving(partial(GENUINE.binding, plan), CHIP.evidence) if plan.attested else None
    carrier = Attested(
        InlineCarrier(plan, sites, answer), plan, layout().hash, asking=asking, proving=proving, folder=folder
    )
    with open_rounds(folder / "run", plan, layout(), initial_vector(0), patient=True) as rounds:
        run_rounds(rounds, carrier)


def no_chip(told: Binding) -> Evidence:
    return collect(told, Path("/nowhere"), Path("/nowhere"))


@pytest.mark.parametrize("profile", ["open", "attested"])
def test_sites_that_prove_themselves_take_part(tmp_path: Path, profile: str) -> None:
    both = replace(SITES_PLAN, profile=profile, attestation={**PLAN.attestation, **SITES_PLAN.attestation})
    ask_of_sites(tmp_path, {}, both if profile == "attested" else SITES_PLAN)
    (report,) = read_lines(tmp_path / "run" / "rounds.jsonl")
    assert set(report["accepted"]) == {"alpha", "beta"}
    told = read_document(tmp_path / STANDING)["sites"]
    assert {one["status"] for one in told.values()} == {"unattested"}  # under a test root, for people
    assert {one["why"] for one in told.values()} == {""}


@pytest.mark.parametrize(
    ("chip", "code", "word"),
    [
        (partial(CHIP.evidence, measurement=b"\x01" * 48), "unattested", "measurement"),
        (lambda told: CHIP.evidence(replace(told, nonce=bytes(32))), "unattested", "nonce"),
        (lambda told: CHIP.evidence(replace(told, tls_key=bytes(32))), "unattested", "tls-key"),
        (lambda told: CHIP.evidence(replace(told, name="beta")), "unattested", "name"),  # another site's
        (lambda told: CHIP.evidence(replace(told, role="aggregator")), "unattested", "role"),
        (lambda told: CHIP.evidence(replace(told, agreement=bytes(32))), "unattested", "agreement"),
        (no_chip, "guard-unattested", "guard-unattested"),
    ],
)
def test_a_site_that_does_not_is_asked_for_nothing(tmp_path: Path, chip: Chip, code: str, word: str) -> None:
    with pytest.raises(FederationError, match=rf"alpha {code}"):
        ask_of_sites(tmp_path, {"alpha": Claim(AGREEMENT, KEY, chip)})
    assert not (tmp_path / "sites" / "alpha" / "last.answer").exists()
    assert (tmp_path / "sites" / "beta" / "last.answer").exists()
    assert word in read_document(tmp_path / STANDING)["sites"]["alpha"]["why"]


def test_a_site_gives_evidence_only_where_it_is_agreed_on(tmp_path: Path) -> None:
    with pytest.raises(FederationError, match="alpha guard-unattested, beta guard-unattested"):
        ask_of_sites(tmp_path, dict.fromkeys(PLAN.site_names))


def test_in_an_attested_federation_a_site_proves_itself_to_a_proven_aggregator_alone(tmp_path: Path) -> None:
    both = replace(SITES_PLAN, profile="attested", attestation={**PLAN.attestation, **SITES_PLAN.attestation})
    site = replace(sites_of(tmp_path)["alpha"], claim=Claim(AGREEMENT, KEY, CHIP.evidence))
    hashes = {"plan_hash": both.hash, "start_hash": "0" * 64, "layout_hash": layout().hash}
    head = order("statistics", 0, EMPTY, **hashes)
    asked = pack_paper(head, SITE_STEP, bytes(32), MAX_BYTES)
    assert answer(asked, both, site).failure == "guard-unattested"


def test_what_sites_must_prove_stands_in_the_agreement(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(commented_plan(SITES_PLAN))
    read = read_plan(path)
    assert read.attestation == SITES_PLAN.attestation
    made = agreement_of(read, KEY, keys={"aggregator": KEY, "alpha": KEY, "beta": KEY})
    assert {one.name: one.key for one in made.members if one.role == "site"} == {"alpha": KEY, "beta": KEY}
    assert "attest" in {one.task for one in made.egress}
    assert any("your machine's chip signs" in line for line in described(made))
    for table, words in (({}, "no machine"), ({"gpu": {"drivers": ["1"], "firmwares": ["1"]}}, "no machine")):
        path.write_text(commented_plan(replace(SITES_PLAN, attestation={"sites": table})))
        if table:
            with pytest.raises(InputError, match=words):
                read_plan(path)
    path.write_text(commented_plan(replace(SITES_PLAN, engine="embedded")))
    with pytest.raises(InputError, match="evidence of sites over engine embedded"):
        read_plan(path)


def test_a_plan_may_ask_for_masks_inside_an_attested_machine(tmp_path: Path) -> None:
    sites = tuple(replace(site, max_examples=100) for site in (*PLAN.sites, EnrolledSite(name="gamma")))
    rounds = replace(PLAN.rounds, min_updates=3)
    both = replace(PLAN, profile="attested-masked", sites=sites, rounds=rounds)
    both = replace(both, guard=replace(EASY, max_norm=1.0))
    path = tmp_path / "plan.toml"
    path.write_text(commented_plan(both))
    made = agreement_of(read_plan(path), KEY)
    assert made.plan.masked
    assert made.plan.attested
    assert {"challenge", "evidence", "offer", "mask", "open"} <= {one.task for one in made.egress}
    path.write_text(commented_plan(replace(both, attestation={})))
    with pytest.raises(InputError, match="no machine that could attest"):
        read_plan(path)
    path.write_text(commented_plan(replace(both, guard=EASY)))
    with pytest.raises(InputError, match=r"guard\.max_norm"):
        read_plan(path)
