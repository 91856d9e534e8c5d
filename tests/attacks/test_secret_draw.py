"""A site trains with some of its projects: which ones, no order, no count and no other site can find out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st
from tests.federation.labelled_blobs import labelled

from cryofed.errors import GuardError
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.site.answering import InMemory, Site, answer
from cryofed.federation.site.guard.drawing import drawn
from cryofed.federation.wire.orders import order, pack_order
from cryofed.federation.wire.parcels import unpack_update
from cryofed.federation.wire.updates import Update
from cryofed.learning.learner import initial_vector, layout
from cryofed.learning.vector import vector_hash
from cryofed.library.labelled import Labelled

HALF = GuardRules(project_share=0.5)
POOL = labelled(200, 1)  # ten projects of 20


def projects(of: Labelled) -> set[int]:
    return set(of.project.tolist())


@given(st.floats(0.01, 1), st.integers(0, 250))
def test_as_many_projects_as_asked_for_and_whole_ones(share: float, least: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cryofed.federation.site.guard.drawing.secret_seed", lambda *parts: 5)
        part = drawn(POOL, Path("anywhere"), share=share, least=least)
    count = max(np.ceil(share * 10), min(10, np.ceil(least / 20)))
    assert len(projects(part)) == count
    assert len(part) == 20 * count


def test_the_draw_is_the_site_s_secret_and_stays_until_the_averages_change(tmp_path: Path) -> None:
    first = projects(half(POOL, tmp_path / "a"))
    assert projects(half(POOL, tmp_path / "a")) == first
    others = {frozenset(projects(half(POOL, tmp_path / str(key)))) for key in range(20)}
    assert len(others) > 10  # of 252
    assert set.union(*map(set, others)) == set(range(10))
    mended = []
    for index in range(20):
        target = POOL.target.copy()
        target[index] = 1 - target[index]
        mended.append(frozenset(projects(half(replace(POOL, target=target), tmp_path / "a"))))
    assert len(set(mended)) > 10


def test_one_project_is_never_left_out_and_all_of_them_need_no_key(tmp_path: Path) -> None:
    one = labelled(20, 1)
    assert half(one, None) is one
    assert drawn(POOL, None, share=1.0, least=32) is POOL
    with pytest.raises(GuardError, match="give the site a folder"):
        half(POOL, None)


def half(pool: Labelled, folder: Path | None) -> Labelled:
    return drawn(pool, folder, share=0.5, least=1)


def plan(**changes: object) -> Plan:
    return replace(
        Plan(
            name="half",
            training=LocalTraining(steps=2, batch=64, part="head", learning_rate=1e-2),
            guard=GuardRules(project_share=0.5),
            sites=(EnrolledSite(name="north"),),
        ),
        **changes,
    )


def update(pool: Labelled, folder: Path, agreed: Plan, begin: int = 0) -> Update:
    start = initial_vector(begin)
    sent = order(
        "train", 1, start, plan_hash=agreed.hash, start_hash=vector_hash(start), layout_hash=layout().hash
    )
    site = Site(name="north", source=InMemory(pool, labelled(40, 9)), folder=folder)
    told = answer(pack_order(sent), agreed, site)
    assert not told.failure
    return unpack_update(told.data, layout().size)


def test_what_was_not_drawn_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And whatever the coordinator asks for, a project that was not drawn is never read."""
    seen: list[set[int]] = []
    from cryofed.federation.site import answering

    def watched(pool: Labelled, folder: Path | None, *, share: float, least: int) -> Labelled:
        part = drawn(pool, folder, share=share, least=least)
        seen.append(projects(part))
        return part

    monkeypatch.setattr(answering, "drawn", watched)
    agreed = plan()
    first = update(POOL, tmp_path, agreed)
    for other in (plan(seed=2), plan(name="another"), plan(training=LocalTraining(steps=3, part="head"))):
        update(POOL, tmp_path, other, begin=1)
    assert len(seen) == 4
    assert len(seen[0]) == 5
    assert all(one == seen[0] for one in seen)
    monkeypatch.setattr(
        answering, "drawn", lambda pool, *_, **__: pool.take(np.isin(pool.project, [*seen[0]]))
    )
    images = POOL.images.copy()
    images[~np.isin(POOL.project, [*seen[0]])] = 0
    again = update(replace(POOL, images=images), tmp_path / "other", agreed)
    assert again.vector.tobytes() == first.vector.tobytes()


def test_no_plan_has_more_projects_drawn_by_asking_for_more_averages(tmp_path: Path) -> None:
    enough = LocalTraining(steps=4, batch=64, part="head")  # batches that hold all of them
    greedy = plan(guard=GuardRules(project_share=0.5, min_examples=len(POOL)), training=enough)
    start = initial_vector(0)
    sent = order(
        "train", 1, start, plan_hash=greedy.hash, start_hash=vector_hash(start), layout_hash=layout().hash
    )
    site = Site(name="north", source=InMemory(POOL, labelled(40, 9)), folder=tmp_path)
    assert answer(pack_order(sent), greedy, site).failure == "guard-few-examples"


def test_the_count_beside_an_update_is_that_of_the_library(tmp_path: Path) -> None:
    assert update(POOL, tmp_path, plan()).examples == 200


def test_a_policy_may_draw_fewer_and_never_more() -> None:
    from cryofed.federation.agreement.rules import stricter

    quarter = GuardRules(project_share=0.25)
    for one, other in ((HALF, quarter), (quarter, HALF), (GuardRules(), quarter)):
        assert stricter(one, other).project_share == 0.25
