"""Hashes and names from other machines become parts of paths: nothing but digits and slugs passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.contract import toy
from tests.federation.labelled_blobs import source

from cryofed.errors import WireError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.site.answering import Site, answer
from cryofed.federation.site.memory import CAMPAIGNS, SiteMemory, load_memory, save_memory
from cryofed.federation.wire.orders import order, pack_order, unpack_order
from cryofed.federation.wire.parcels import MAGIC, canonical, unpack_update
from cryofed.learning.learner import initial_vector, layout

ALMOST = ("A" * 64, "0" * 63, "0" * 65, "0" * 63 + "g", "0" * 64 + "\n", "", "\0" * 64)
HOSTILE = ("/../../..", "../" * 20 + "x", *ALMOST)
HASHES = ("plan_hash", "start_hash", "layout_hash", "model_hash", "payload_sha256")


def forged(data: bytes, **changes: object) -> bytes:
    length = int.from_bytes(data[8:12], "big")
    text = canonical(json.loads(data[12 : 12 + length]) | changes)
    return MAGIC + len(text).to_bytes(4, "big") + text + data[12 + length :]


def an_order(plan: Plan) -> bytes:
    made = order(
        "train", 1, initial_vector(0), plan_hash=plan.hash, start_hash="1" * 64, layout_hash=layout().hash
    )
    return pack_order(made)


@pytest.mark.parametrize("field", HASHES)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_order_names_anything_but_a_hash(field: str, text: str) -> None:
    with pytest.raises(WireError, match="schema"):
        unpack_order(forged(an_order(Plan()), **{field: text}), 10**7)


@pytest.mark.parametrize(
    "told",
    [{"../alpha": "0" * 64}, {"Alpha": "0" * 64}, {"alpha": "0" * 63}, {"alpha": 1}, {"alpha": None}, []],
)
def test_what_an_order_acknowledges_is_hashes_by_site(told: object) -> None:
    with pytest.raises(WireError, match="schema"):
        unpack_order(forged(an_order(Plan()), acknowledged=told), 10**7)
    assert unpack_order(forged(an_order(Plan()), acknowledged={"alpha": "0" * 64}), 10**7).acknowledged


@pytest.mark.parametrize("text", HOSTILE)
def test_no_update_carries_a_seal_that_is_no_hash(text: str, tmp_path: Path) -> None:
    sites = toy.toys({"alpha": "honest"}, tmp_path)
    made = order("train", 1, toy.START, plan_hash="0" * 64, start_hash="1" * 64, layout_hash=toy.LAYOUT.hash)
    data = bytes(toy.answer(pack_order(made), toy.plan(("alpha",)), sites["alpha"]).data)
    with pytest.raises(WireError, match="schema"):
        unpack_update(forged(data, audit_hash=text), toy.LAYOUT.size)


def test_a_start_hash_that_climbs_writes_nothing(tmp_path: Path) -> None:
    plan = Plan(training=toy.plan(()).training)
    site = Site(name="alpha", source=source(0), folder=tmp_path / "a/b/c/site")
    told = answer(forged(an_order(plan), start_hash="/../../.."), plan, site)
    assert told.failure == "site-schema"
    written = {path.relative_to(tmp_path / "a/b/c/site") for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {Path("site.log")}


@pytest.mark.parametrize("name", ["../alpha", "Alpha", "a/b", "", ".", "a" * 64, "alpha\n", "-alpha"])
def test_no_update_is_of_a_site_whose_name_is_no_slug(name: str, tmp_path: Path) -> None:
    sites = toy.toys({"alpha": "honest"}, tmp_path)
    made = order("train", 1, toy.START, plan_hash="0" * 64, start_hash="1" * 64, layout_hash=toy.LAYOUT.hash)
    data = bytes(toy.answer(pack_order(made), toy.plan(("alpha",)), sites["alpha"]).data)
    assert unpack_update(data, toy.LAYOUT.size).site == "alpha"
    with pytest.raises(WireError, match="schema"):
        unpack_update(forged(data, site=name), toy.LAYOUT.size)


def test_orders_of_ever_other_campaigns_do_not_fill_the_disk(tmp_path: Path) -> None:
    kept = SiteMemory(strategy={"own": toy.START})
    for number in range(10):
        made = order(
            "train", 1, toy.START, plan_hash="0" * 64, start_hash=f"{number:x}" * 64, layout_hash="0" * 64
        )
        save_memory(tmp_path, made, kept)
        later = order(
            "train", 2, toy.START, plan_hash="0" * 64, start_hash=f"{number:x}" * 64, layout_hash="0" * 64
        )
        assert "own" in load_memory(tmp_path, later).strategy
    assert len(list((tmp_path / "memory").iterdir())) == CAMPAIGNS
