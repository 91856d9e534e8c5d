"""Rounds under masks: the aggregator ends at the mean that it would have without, and sees no update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.federation.labelled_blobs import source

from cryofed.disk.lines import read_lines
from cryofed.errors import FederationError, InputError
from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.masked import run_masked_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.masking import Seal
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules, StrategyChoice
from cryofed.federation.agreement.plan_file import commented_plan, read_plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.engines.embedded.carrier import InlineCarrier, embedded, with_signets
from cryofed.federation.site.answering import Site, answer
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Answer
from cryofed.federation.wire.papers import unpack_paper
from cryofed.federation.wire.parcels import PAPER_SCHEMA, schema_of
from cryofed.learning.learner import initial_vector, layout
from cryofed.learning.vector import Vector

NAMES = ("alpha", "beta", "delta", "gamma")
EASY = GuardRules(min_examples=1)  # of batches of eight
PLAN = Plan(
    profile="masked",
    rounds=RoundRules(count=2, min_updates=3, retries=0, grace_s=1.0),
    training=LocalTraining(steps=1, batch=8),
    guard=GuardRules(max_norm=5.0, min_examples=1),
    sites=tuple(EnrolledSite(name=name, max_examples=500) for name in NAMES),
)


def sites_of(folder: Path, plan: Plan = PLAN) -> tuple[dict[str, Site], Seal]:
    sites = {
        name: Site(name=name, source=source(seed, 30 + 5 * seed), folder=folder / name, policy=EASY)
        for seed, name in enumerate(plan.site_names)
    }
    return with_signets(plan, sites)


class Meddling(InlineCarrier):
    """An aggregator's carrier that lets a site go missing at a step, or ends the run there."""

    def __init__(self, plan: Plan, sites: Mapping[str, Site]) -> None:
        super().__init__(plan, sites, answer)
        self.gone: Mapping[str, str] = {}  # step: site
        self.killed = ""
        self.seen: list[tuple[str, str, int]] = []

    def ask(self, order: bytes, sites: Sequence[str]) -> None:
        self.step = unpack_paper(order).task if schema_of(order) == PAPER_SCHEMA else "train"
        if self.step == self.killed:
            raise KeyboardInterrupt
        super().ask(order, sites)

    def answer(self, timeout_s: float) -> Answer | None:
        got = super().answer(timeout_s)
        if got and self.gone.get(self.step) == got.site:
            return Answer(site=got.site, failure="site_gone")
        if got:
            self.seen.append((self.step, got.site, len(got.data)))
        return got


def run(folder: Path, carrier: InlineCarrier, seal: Seal, plan: Plan = PLAN) -> Vector:
    with open_rounds(folder, plan, layout(), initial_vector(0), patient=True) as rounds:
        run_masked_rounds(rounds, carrier, seal)
        return np.array(rounds.vector)


def carrier_of(tmp_path: Path, plan: Plan = PLAN) -> tuple[Meddling, Seal]:
    sites, seal = sites_of(tmp_path / "sites", plan)
    return Meddling(plan, sites), seal


def test_the_mean_is_that_of_an_open_round(tmp_path: Path) -> None:
    carrier, seal = carrier_of(tmp_path)
    masked = run(tmp_path / "masked", carrier, seal)
    opened = replace(PLAN, profile="open", admission=replace(PLAN.admission, times_median=0))
    sites, _ = sites_of(tmp_path / "open-sites")
    with (
        open_rounds(tmp_path / "open", opened, layout(), initial_vector(0), patient=True) as rounds,
        embedded(
            opened, {name: replace(site, signet=None) for name, site in sites.items()}, inline=True
        ) as c,
    ):
        run_rounds(rounds, c)
        np.testing.assert_allclose(masked, rounds.vector, atol=2e-6)
    assert not np.array_equal(masked, initial_vector(0))
    told = read_lines(tmp_path / "masked" / "rounds.jsonl")
    assert [report["masked"]["collusion_threshold"] for report in told] == [2, 2]
    assert all(set(report["accepted"]) == set(NAMES) for report in told)
    assert not (tmp_path / "masked" / "masked").exists()
    # At most twice the bytes of a float32 update.
    size = 4 * layout().size
    assert all(bytes_ <= 2 * size + 8192 for step, _, bytes_ in carrier.seen if step == "mask")


def test_no_update_of_a_site_is_in_what_the_aggregator_gets_or_keeps(tmp_path: Path) -> None:
    carrier, seal = carrier_of(tmp_path)
    carrier.killed = "open"  # all masked updates are on its disk, none is opened
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", carrier, seal)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    from cryofed.disk.arrays import read_arrays

    for name in NAMES:
        arrays, told = read_arrays(tmp_path / "sites" / name / "masks" / "update.safetensors")
        vector = arrays["vector"]
        weighed = np.rint(vector.astype(np.float64) * told["weight"] * 2.0**30)
        for piece in (vector[:64].tobytes(), weighed[:32].astype("<i8").tobytes()):
            assert piece not in kept
        words = np.frombuffer(
            (tmp_path / "run" / "masked" / f"{name}.masked").read_bytes()[-8 * 4096 :], "<u8"
        )
        bits = np.unpackbits(words.view(np.uint8)).mean()
        assert 0.49 < bits < 0.51  # noise to the eye: each bit is one in half of the words


@pytest.mark.parametrize("step", ["train", "offer", "mask"])
def test_a_site_that_goes_missing_costs_an_attempt_and_not_the_round(tmp_path: Path, step: str) -> None:
    carrier, seal = carrier_of(tmp_path)
    carrier.gone = {step: "beta"}
    run(tmp_path / "run", carrier, seal)
    for report in read_lines(tmp_path / "run" / "rounds.jsonl"):
        assert set(report["accepted"]) == {"alpha", "delta", "gamma"}
        assert report["lost"] == {"beta": "site_gone"}
        assert report["masked"]["collusion_threshold"] == 1
    trainings = [site for task, site, _ in carrier.seen if task == "train" and site == "alpha"]
    assert len(trainings) == 2  # one a round: nobody trains again for a new attempt


def test_too_few_sites_end_in_one_line_and_open_nothing(tmp_path: Path) -> None:
    carrier, seal = carrier_of(tmp_path)
    carrier.gone = {"offer": "beta", "mask": "gamma"}
    with pytest.raises(FederationError, match="the quorum is 3"):
        run(tmp_path / "run", carrier, seal)
    assert not [step for step, _, _ in carrier.seen if step == "open"]


@pytest.mark.parametrize("step", ["train", "offer", "mask", "open"])
def test_a_killed_aggregator_goes_on_without_using_a_mask_twice(tmp_path: Path, step: str) -> None:
    carrier, seal = carrier_of(tmp_path)
    carrier.killed = step
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", carrier, seal)
    carrier.killed = ""
    found = run(tmp_path / "run", carrier, seal)
    other, its_seal = carrier_of(tmp_path / "undisturbed")
    np.testing.assert_array_equal(found, run(tmp_path / "undisturbed" / "run", other, its_seal))
    for name in NAMES:
        lines = read_lines(tmp_path / "sites" / name / "masks" / "ledger.jsonl")
        released = [line["call"] for line in lines if line["step"] == "released"]
        assert len(released) == len(set(released))
        opened = [line["round_number"] for line in lines if line["step"] == "opened"]
        assert opened == [1, 2]


def test_a_site_that_does_not_open_is_waited_for_and_the_sum_is_made_once(tmp_path: Path) -> None:
    carrier, seal = carrier_of(tmp_path)
    carrier.gone = {"open": "delta"}
    with pytest.raises(FederationError, match="delta must still open the mask"):
        run(tmp_path / "run", carrier, seal)
    carrier.gone = {}
    found = run(tmp_path / "run", carrier, seal)
    other, its_seal = carrier_of(tmp_path / "undisturbed")
    np.testing.assert_array_equal(found, run(tmp_path / "undisturbed" / "run", other, its_seal))


def test_an_aggregator_that_asks_for_a_second_sum_gets_none(tmp_path: Path) -> None:
    """It claims that a site has gone after all have opened, to see the difference of two sums."""
    carrier, seal = carrier_of(tmp_path)
    carrier.gone = {"open": "delta"}
    with pytest.raises(FederationError, match="must still open"):
        run(tmp_path / "run", carrier, seal)
    for kept in (tmp_path / "run" / "masked").glob("*.masked"):
        kept.unlink()  # so that it begins another attempt
    carrier.gone = {"offer": "delta"}
    with pytest.raises(FederationError, match=r"must still open|quorum"):
        run(tmp_path / "run", carrier, seal)
    log = (tmp_path / "sites" / "alpha" / "site.log").read_text()
    assert "a second sum could show one site's update" in log


def test_a_site_whose_key_the_agreement_does_not_name_is_not_in_the_sum(tmp_path: Path) -> None:
    carrier, seal = carrier_of(tmp_path)
    stranger = replace(carrier.sites["beta"], signet=None)
    carrier.sites = {**carrier.sites, "beta": stranger}
    run(tmp_path / "run", carrier, seal)
    (first, _) = read_lines(tmp_path / "run" / "rounds.jsonl")
    assert first["lost"] == {"beta": "guard-mask"}
    swapped = replace(seal, identities={**seal.identities, "gamma": seal.identities["alpha"]})
    sites = {
        n: replace(s, signet=replace(s.signet, seal=swapped)) for n, s in carrier.sites.items() if s.signet
    }
    carrier.sites = {**sites, "beta": replace(sites["alpha"], name="beta")}
    with pytest.raises(FederationError, match="quorum"):
        run(tmp_path / "other", carrier, swapped)


def test_an_open_federation_takes_no_step_of_a_masked_one(tmp_path: Path) -> None:
    orders: list[bytes] = []

    def spy(data: Buffer, plan: Plan, site: Site) -> Answer:
        orders.append(bytes(data))
        return answer(data, plan, site)

    sites, seal = sites_of(tmp_path / "sites")
    run(tmp_path / "run", InlineCarrier(PLAN, sites, spy), seal)
    step = next(data for data in orders if schema_of(data) == PAPER_SCHEMA)
    opened = replace(PLAN, profile="open")
    assert answer(step, opened, sites["alpha"]).failure in ("site-plan", "guard-mask")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"strategy": StrategyChoice(name="robust")}, "strategy.name: 'robust'"),
        ({"strategy": StrategyChoice(name="scaffold")}, "fedprox"),
        ({"guard": GuardRules(max_norm=0.0)}, "guard.max_norm"),
        ({"guard": GuardRules(max_norm=1.0, codec="int8")}, "guard.codec: 'int8'"),
        ({"rounds": RoundRules(min_updates=2)}, "rounds.min_updates: 2"),
        ({"sites": (EnrolledSite(name="a"), EnrolledSite(name="b"), EnrolledSite(name="c"))}, "max_examples"),
        ({"profile": "open", "guard": GuardRules(mask="pairwise")}, "guard.mask"),
    ],
)
def test_a_plan_that_masks_would_break_is_refused_by_field(
    tmp_path: Path, changed: dict[str, object], words: str
) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(commented_plan(replace(PLAN, **changed)))  # type: ignore[arg-type]  # one field each
    with pytest.raises(InputError, match=words.replace(".", r"\.")):
        read_plan(path)


def test_a_policy_that_wants_masks_gets_them_or_sends_nothing(tmp_path: Path) -> None:
    opened = replace(PLAN, profile="open")
    carrier, _ = carrier_of(tmp_path, opened)
    strict = {
        n: replace(s, policy=GuardRules(mask="pairwise", min_examples=1)) for n, s in carrier.sites.items()
    }
    carrier.sites = strict
    with (
        open_rounds(tmp_path / "run", opened, layout(), initial_vector(0), patient=True) as rounds,
        pytest.raises(FederationError, match="guard-mask"),
    ):
        run_rounds(rounds, carrier)


def test_a_second_campaign_from_the_same_model_is_refused_with_its_remedy(tmp_path: Path) -> None:
    """As after a gate that kept the old release: two sums would differ by what sites have learnt since."""
    carrier, seal = carrier_of(tmp_path)
    run(tmp_path / "one", carrier, seal)
    carrier.seen.clear()
    with pytest.raises(FederationError, match=r"no mask serves twice; set another seed in the plan"):
        run(tmp_path / "two", carrier, seal)
    assert not [step for step, _, size in carrier.seen if step in {"mask", "open"} and size]
    again = replace(PLAN, seed=2)
    carrier, seal = carrier_of(tmp_path, again)
    run(tmp_path / "three", carrier, seal, again)
