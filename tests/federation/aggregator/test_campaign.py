"""A campaign goes from the current release through rounds and gate to the next, and survives a crash."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.federation.labelled_blobs import source

from cryofed.errors import FederationError, InputError
from cryofed.federation.aggregator.campaign import Campaign, calibrated, mixed, run_campaign
from cryofed.federation.agreement.plan import EnrolledSite, GateRules, LocalTraining, Plan, RoundRules
from cryofed.federation.engines.embedded.carrier import embedded
from cryofed.federation.releases.history import promotions
from cryofed.federation.releases.store import HISTORY, current_release, first_release, read_release, rollback
from cryofed.federation.site.answering import Site
from cryofed.federation.telling.campaign_report import write_report
from cryofed.learning.export import read_vector
from cryofed.learning.learner import initial_vector
from cryofed.scoring.calibration import UNKNOWN
from cryofed.scoring.scorer import SHIPPED, open_model
from cryofed.scoring.sharpness import WEIGHT

PLAN = Plan(
    name="blobs",
    rounds=RoundRules(count=2),
    training=LocalTraining(steps=12, batch=16, learning_rate=1e-3, last_rate=1.0),  # from scratch
    gate=GateRules(site_tolerance=0.05, cross_site=True),
    sites=tuple(EnrolledSite(name=name) for name in ("alpha", "beta")),
)
SHORT = replace(PLAN, rounds=RoundRules(count=1), training=LocalTraining(steps=2, batch=16))


def campaign(home: Path, plan: Plan = PLAN) -> Campaign:
    if current_release(home / "releases") is None:
        first_release(home / "releases", initial_vector(0), UNKNOWN, {"origin": "untrained"})
    sites = {name: Site(name=name, source=source(seed)) for seed, name in enumerate(plan.site_names)}
    with embedded(plan, sites, inline=True) as carrier:
        return run_campaign(home, plan, carrier)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    campaign(home)
    return home


def test_a_better_model_is_promoted_with_its_lineage(home: Path) -> None:
    first, second = read_release(home / "releases/0001"), read_release(home / "releases/0002")
    assert current_release(home / "releases").hash == second.hash  # type: ignore[union-attr]
    assert second.card["parent"] == first.hash
    assert second.card["plan"] == PLAN.hash
    assert second.card["gate"]["pooled_candidate"] > second.card["gate"]["pooled_current"]
    assert (second.path / "model.onnx").stat().st_size > 100_000


def test_a_release_of_an_untrained_start_is_calibrated_by_the_sites(home: Path) -> None:
    fitted = json.loads((home / "campaigns/0001/gate.json").read_text())["calibration"]
    parent, release = read_release(home / "releases/0001"), read_release(home / "releases/0002")
    assert parent.calibration.jobs is None
    assert set(fitted) == {"slope", "offset"}
    assert fitted["slope"] != parent.calibration.slope
    assert release.calibration == replace(parent.calibration, sharpness=WEIGHT, **fitted)
    assert open_model(release.path / "model.onnx", "cpu").calibration == release.calibration
    assert calibrated(release.calibration, []) == release.calibration


def test_a_release_of_a_model_that_did_not_learn_scores_as_its_parent(tmp_path: Path) -> None:
    shipped = open_model(SHIPPED, "cpu").calibration
    vector = read_vector(SHIPPED.with_name("weights.safetensors"))
    first_release(tmp_path / "releases", vector, shipped, {"origin": "shipped"})
    still = replace(SHORT.training, learning_rate=1e-12)
    told = campaign(tmp_path, replace(SHORT, training=still))
    assert told.decision.promoted
    # Blobs are nothing that the shipped model was made for: a fit to them would be far off.
    assert told.release.number == 2
    assert told.release.calibration.slope == pytest.approx(shipped.slope, rel=1e-3)
    assert told.release.calibration.offset == pytest.approx(shipped.offset, abs=1e-3)
    assert told.release.calibration.jobs == shipped.jobs


def test_a_campaign_that_died_after_the_promotion_ends_in_the_same_release(home: Path) -> None:
    before = (home / "campaigns/0001/gate.json").read_text()
    (home / "campaigns/0001/gate.json").unlink()  # the last file that a campaign writes
    again = campaign(home)
    assert (again.number, again.release.number) == (1, 2)
    assert (home / "campaigns/0001/gate.json").read_text() == before
    assert not (home / "releases/0003").exists()


def test_a_candidate_that_fails_the_gate_leaves_the_release_and_says_why(tmp_path: Path) -> None:
    poor = replace(SHORT, gate=GateRules(min_sites=3))
    told = campaign(tmp_path, poor)
    assert told.release.number == 1
    assert told.decision.stopped_by == ("2 sites could evaluate, the plan asks for 3",)
    assert not (tmp_path / "releases/0002").exists()


def test_another_plan_cannot_go_on_with_a_stopped_campaign(tmp_path: Path) -> None:
    campaign(tmp_path, SHORT)
    (tmp_path / "campaigns/0001/gate.json").unlink()
    with pytest.raises(FederationError, match="another plan"):
        campaign(tmp_path, replace(SHORT, seed=2))


def test_rollback_goes_to_the_parent_and_no_farther_and_is_written_down(home: Path) -> None:
    assert rollback(home / "releases", "ann: worse on cages").number == 1
    with pytest.raises(FederationError, match="no parent"):
        rollback(home / "releases", "ann: again")
    told = [(line.release, line.by) for line in promotions(home / "releases" / HISTORY)]
    # The campaign that died after its promotion and came back stands there once.
    assert told == [(1, "founding"), (2, "gate of campaign 1"), (1, "ann: worse on cages")]


def test_weights_that_are_not_the_cards_are_refused(home: Path, tmp_path: Path) -> None:
    release = tmp_path / "0002"
    release.mkdir()
    for name in ("card.json", "weights.safetensors"):
        (release / name).write_bytes((home / "releases/0002" / name).read_bytes())
    damaged = bytearray((release / "weights.safetensors").read_bytes())
    damaged[-1] ^= 1
    (release / "weights.safetensors").write_bytes(damaged)
    with pytest.raises(InputError, match="not those that card"):
        read_release(release)


def test_the_report_shows_gate_rounds_matrix_statistics_and_contribution(home: Path) -> None:
    page = write_report(home / "campaigns/0001").read_text()
    facts = json.loads((home / "campaigns/0001/report.json").read_text())
    assert "Released" in page
    assert facts["cross_site"]["models"] == ["common", "alpha", "beta"]
    assert facts["statistics"]["alpha"]["examples"] == 60
    shares = [told["share"] for told in facts["contributions"].values()]
    assert sum(shares) == pytest.approx(1)  # efficiency of the Shapley value: all together have cosine 1
    for word in ("alpha", "Rounds", "Contribution", "Every model at every site"):
        assert word in page


def test_old_and_new_weights_are_mixed_by_the_share_that_the_plan_keeps() -> None:
    new, old = np.array([4, 0], np.float32), np.array([0, 8], np.float32)
    assert mixed(new, old, 0.25).tolist() == [3, 2]  # 0.75 * 4, 0.25 * 8
    assert mixed(new, old, 0.0) is new
