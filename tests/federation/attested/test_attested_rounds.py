"""In profile attested nothing that comes of a site's data leaves before the aggregator has proven itself.

The chip is a test's own, under a test root: only Python can name one, and nothing under it is ever called
attested to a person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.federation.labelled_blobs import source
from tests.trust.attestation.makers import MEASUREMENT, NOW, Amd

from cryofed.disk.documents import read_document, write_document
from cryofed.disk.lines import read_lines
from cryofed.errors import FederationError, InputError
from cryofed.federation.aggregator.attested import Attested, Proving
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.agreed import agreement_of
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules
from cryofed.federation.agreement.plan_file import commented_plan, read_plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.engines.embedded.carrier import InlineCarrier
from cryofed.federation.site.answering import Site, answer
from cryofed.federation.site.attesting import Witness, forget_proof, proof_file
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Answer, order, pack_order
from cryofed.federation.wire.papers import PROOF_STEPS, unpack_paper
from cryofed.federation.wire.parcels import PAPER_SCHEMA, schema_of
from cryofed.learning.learner import initial_vector, layout
from cryofed.trust.attestation.binding import Binding
from cryofed.trust.attestation.evidence import Evidence, SnpReport
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
    carrier = Attested(InlineCarrier(plan, sites, spy), plan, proving, layout().hash)
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
    carrier = Attested(InlineCarrier(PLAN, sites, keep), PLAN, proving, layout().hash)
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
