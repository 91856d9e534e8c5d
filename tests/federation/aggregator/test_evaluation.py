"""The matrix of every model at every site: one model on the way at a time, and no site holds it up twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.federation.labelled_blobs import source

from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.evaluation import cross_site_matrix
from cryofed.federation.aggregator.rounds import Rounds, open_rounds
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules
from cryofed.federation.engines.embedded.carrier import InlineCarrier, WorkerCarrier, embedded
from cryofed.federation.site.answering import Site, answer
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Answer, unpack_order
from cryofed.learning.learner import evaluate, initial_vector, layout

NAMES = ("alpha", "beta")
PLAN = Plan(
    rounds=RoundRules(count=1),
    training=LocalTraining(steps=4, batch=16, learning_rate=1e-2),
    sites=tuple(EnrolledSite(name=name) for name in NAMES),
)
THERE = {name: Site(name=name, source=source(seed)) for seed, name in enumerate(NAMES)}


class Sites:
    """Real sites that note what they are asked; `silent_from` is the order that beta no longer answers."""

    def __init__(self, silent_from: int = 99) -> None:
        self.asked: dict[str, list[int]] = {name: [] for name in NAMES}
        self.silent_from = silent_from

    def __call__(self, data: Buffer, plan: Plan, site: Site) -> Answer:
        received = unpack_order(data, 2 * layout().size)
        if received.task == "evaluate":
            self.asked[site.name].append(len(received.vector))
            if site.name == "beta" and len(self.asked["beta"]) >= self.silent_from:
                return Answer(site=site.name, failure="site_error")
        return answer(data, plan, site)


@contextmanager
def trained(sites: Sites, folder: Path) -> Iterator[tuple[Rounds, InlineCarrier | WorkerCarrier]]:
    with (
        embedded(PLAN, THERE, function=sites, inline=True) as carrier,
        open_rounds(folder, PLAN, layout(), initial_vector(0)) as rounds,
    ):
        run_rounds(rounds, carrier)
        yield rounds, carrier


def test_every_site_measures_the_common_model_and_what_each_site_made(tmp_path: Path) -> None:
    sites = Sites()
    with trained(sites, tmp_path) as (rounds, carrier):
        told = cross_site_matrix(rounds, carrier, PLAN)
        common = rounds.vector
        made_by_alpha = rounds.progress.previous + rounds.spool.read("alpha").vector
    assert sites.asked == {name: [layout().size] * 3 for name in NAMES}
    assert told["models"] == ["common", "alpha", "beta"]
    assert list(told["auc"]) == ["alpha", "beta"]
    held_out = THERE["beta"].source.labelled(held_out=True)
    expected = [evaluate(vector, held_out).auc for vector in (common, made_by_alpha)]
    assert abs(expected[0] - expected[1]) > 0.06  # so that one is not taken for the other
    assert told["auc"]["beta"][:2] == pytest.approx(expected, abs=0.0251)  # in steps of one of 20 averages


def test_a_site_that_falls_silent_is_not_asked_again_and_has_no_row(tmp_path: Path) -> None:
    sites = Sites(silent_from=2)
    with trained(sites, tmp_path) as (rounds, carrier):
        told = cross_site_matrix(rounds, carrier, PLAN)
    assert sites.asked == {"alpha": [layout().size] * 3, "beta": [layout().size] * 2}
    assert list(told["auc"]) == ["alpha"]
