"""The monitor shows what the round reports say, live, and can change nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cryofed.disk.documents import write_document
from cryofed.disk.lock import sole_run
from cryofed.federation.agreement.plan import EnrolledSite, Plan
from cryofed.federation.telling.campaign_report import write_report
from cryofed.web.monitor.facts import facts, state
from cryofed.web.monitor.routes import monitor_app

SITES = ("hall", "lake", "peak")
GATE = {
    "promoted": False, "metric": "auc", "pooled_current": 0.8, "pooled_candidate": 0.7, "campaign": 1,
    "stopped_by": ["pooled auc goes from 0.8000 to 0.7000", "hall: auc goes from 0.8000 to 0.7000"],
    "sites": {"hall": {"current": 0.8, "candidate": 0.7, "held_out": 40, "step": 0.05}},
    "candidate": "b" * 64,
}  # fmt: skip


def report(number: int, **changes: Any) -> dict[str, Any]:
    """Round `number`: hall and lake answer, peak is lost; AUC 0.70, 0.71 … at hall, 0.1 more at lake."""
    base = {"examples": 100, "steps": 5, "norm": 1.5, "bytes": 2_000_000}
    accepted = {
        site: base | {"metrics": {"auc": 0.69 + 0.01 * number + 0.1 * k, "loss": 0.5 / number}}
        for k, site in enumerate(SITES[:2])
    }
    told = {
        "round": number, "attempt": 1, "model_before": "a" * 64, "model_after": "b" * 64,
        "asked": list(SITES), "accepted": accepted, "refused": {}, "lost": {"peak": "late"},
        "auc": 0.74 + 0.01 * number, "seconds": 2.0, "strategy": "fedavg",
    }  # fmt: skip
    return told | changes


def event(home: Path, name: str, **told: Any) -> None:
    with (home / "campaigns/0001/events.jsonl").open("a") as file:
        file.write(json.dumps({"event": name, "time": time.time(), **told}) + "\n")


def close_round(home: Path, told: dict[str, Any]) -> None:
    with (home / "campaigns/0001/rounds.jsonl").open("a") as file:
        file.write(json.dumps(told) + "\n")
    event(home, "round_closed", round=told["round"])


@pytest.fixture
def held(home: Path) -> Iterator[None]:
    """As if a process ran the campaign."""
    with sole_run(home):
        yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A federation after two rounds of its first campaign; the third is open."""
    folder = tmp_path / "alps"
    (folder / "campaigns/0001").mkdir(parents=True)
    (folder / "releases/0001").mkdir(parents=True)
    card = {"release": 1, "layout": [["w", [1]]], "vector_sha256": "c" * 64, "origin": "shipped"}
    (folder / "releases/0001/card.json").write_text(json.dumps(card))
    (folder / "releases/current").write_text("0001\n")
    told = {"release": 1, "model": "c" * 64, "plan": "d" * 64, "name": "alps"}
    write_document(folder / "campaigns/0001/start.json", told)
    close_round(folder, report(1))
    close_round(
        folder,
        report(2, refused={"lake": "too_large"}, accepted=dict(list(report(2)["accepted"].items())[:1])),
    )
    event(folder, "round_started", round=3, asked=list(SITES), attempt=1)
    event(folder, "update_accepted", site="lake", examples=100)
    return folder


@pytest.fixture
def plan() -> Plan:
    return Plan(name="alps", sites=tuple(EnrolledSite(name=name) for name in SITES))


@pytest.mark.usefixtures("held")
def test_the_facts_tell_rounds_refusals_and_the_round_that_is_open(home: Path, plan: Plan) -> None:
    told = facts(home, plan=plan)
    campaign = told["campaign"]
    assert [r["round"] for r in campaign["rounds"]] == [1, 2]
    assert campaign["rounds"][1]["refused"] == {"lake": "too_large"}
    assert campaign["live"]["round"] == 3
    assert campaign["live"]["sites"] == {"hall": "asked", "lake": "accepted", "peak": "asked"}
    assert campaign["state"] == "running"
    assert told["releases"][0]["current"]
    assert told["plan"]["sites"] == list(SITES)


def test_a_line_that_is_being_written_is_left_for_the_next_look(home: Path) -> None:
    with (home / "campaigns/0001/rounds.jsonl").open("a") as file:
        file.write('{"round": 3, "accep')
    with (home / "campaigns/0001/events.jsonl").open("a") as file:
        file.write('{"event": "round_cl')
    told = facts(home)["campaign"]
    assert len(told["rounds"]) == 2
    assert told["live"]["round"] == 3


def test_a_campaign_runs_while_a_process_holds_it_and_is_over_when_the_gate_spoke(home: Path) -> None:
    folder = home / "campaigns/0001"
    assert state(folder) == "stopped"
    with sole_run(home):
        assert state(folder) == "running"
    with sole_run(home / "flare"):  # an engine of real machines, between two of its jobs
        assert state(folder) == "running"
    assert state(folder) == "stopped"
    write_document(folder / "gate.json", GATE)
    assert state(folder) == "kept"


def test_nothing_is_sent_again_until_something_changes(home: Path) -> None:
    client = TestClient(monitor_app(home))
    first = client.get("/monitor/facts")
    tag = {"if-none-match": first.headers["etag"]}
    assert client.get("/monitor/facts", headers=tag).status_code == 304
    close_round(home, report(3))
    again = client.get("/monitor/facts", headers=tag)
    assert again.status_code == 200
    assert len(again.json()["campaign"]["rounds"]) == 3


def test_the_monitor_only_reads(home: Path) -> None:
    client = TestClient(monitor_app(home))
    before = {p: p.stat().st_mtime_ns for p in home.rglob("*")}
    for method in (client.post, client.put, client.delete):
        assert method("/monitor/facts").status_code == 405
    client.get("/monitor/facts?campaign=99")
    assert {p: p.stat().st_mtime_ns for p in home.rglob("*")} == before


def test_a_federation_that_has_not_begun_is_shown_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "new" / "releases").mkdir(parents=True)
    told = TestClient(monitor_app(tmp_path / "new")).get("/monitor/facts").json()
    assert told["campaign"] is None
    assert told["campaigns"] == []


def test_before_the_first_run_the_plan_beside_the_folder_is_shown(
    page: Any, tmp_path: Path, plan: Plan, serve: Callable[..., str], barriers: Callable[[Any], list[str]]
) -> None:
    page.goto(serve(monitor_app(tmp_path / "alps", plan)))
    page.wait_for_selector("body[data-ready]")
    told = page.inner_text("#verdict")
    assert "Not run yet" in told
    assert "10 rounds of fedavg over embedded, sites hall, lake, peak" in told
    assert page.inner_text("#live") == "waiting"
    assert barriers(page) == []
    page.close()


def test_not_released_is_a_headline_with_the_site_the_loss_and_what_to_try(
    page: Any, home: Path, plan: Plan, serve: Callable[..., str], barriers: Callable[[Any], list[str]]
) -> None:
    write_document(home / "campaigns/0001/gate.json", GATE)
    page.goto(serve(monitor_app(home, plan)))
    page.wait_for_selector("body[data-ready]")
    assert page.inner_text("#verdict h2") == "Not released: hall would lose 0.1000 AUC"
    told = page.inner_text("#verdict")
    assert "training.learning_rate" in told
    assert "federation compare" in told
    assert barriers(page) == []
    page.close()


@pytest.fixture
def opened(page: Any, home: Path, held: None, plan: Plan, serve: Callable[..., str]) -> Iterator[Any]:
    page.goto(serve(monitor_app(home, plan)))
    page.wait_for_selector("body[data-ready]")
    yield page
    page.close()


def test_the_page_shows_each_part_and_follows_the_campaign_to_its_end(opened: Any, home: Path) -> None:
    tiles = opened.inner_text("#tiles")
    assert "2 of 10" in tiles
    assert "3 of 6" in tiles  # round 1: two of three sites; round 2: one of three
    assert "6.0 MB" in tiles
    assert "lake: accepted" in opened.inner_text("#now")
    assert opened.get_attribute("#presence .line:nth-child(2) .cells", "aria-label") == "lake: 1 of 2 rounds"
    assert "too_large" in opened.inner_text("#presence")
    assert "hall 0.710" in opened.inner_text("#chart")
    opened.select_option("#metric", "loss")
    assert "hall 0.250" in opened.inner_text("#chart")
    gate = {
        "promoted": True, "metric": "auc", "pooled_current": 0.7, "pooled_candidate": 0.8, "stopped_by": [],
        "sites": {"hall": {"current": 0.7, "candidate": 0.8, "held_out": 40, "step": 0.0}},
        "campaign": 1, "candidate": "b" * 64,
    }  # fmt: skip
    matrix = {"models": ["common", "hall"], "auc": {"hall": [0.8, 0.75], "lake": [0.7, 0.6]}}
    close_round(home, report(3))
    write_document(home / "campaigns/0001/cross_site.json", matrix)
    write_document(home / "campaigns/0001/gate.json", gate)
    opened.wait_for_selector("#gate :text('Promoted')")
    assert "0.7000 → 0.8000" in opened.inner_text("#gate")
    assert "3 of 10" in opened.inner_text("#tiles")
    assert opened.is_hidden("#now")
    assert "0.750" in opened.inner_text("#matrix")


def test_the_budget_is_worked_out_beside_the_page_and_told_when_it_is_known(home: Path) -> None:
    pytest.importorskip("dp_accounting", reason="the accountant is not installed")
    from cryofed.federation.site.guard.ledger import Ledger, Spend, statement

    spend = Spend(
        library="hall.db", campaign="d" * 64, round_number=1, examples=100, sampling_rate=0.1,
        noise_multiplier=1.0, steps=5,
    )  # fmt: skip
    Ledger(home / "sites/hall/ledger.jsonl").charge(spend, 0)
    client = TestClient(monitor_app(home))
    first = client.get("/monitor/facts")
    assert set(first.json()["privacy"]) == {"hall"}
    deadline = time.monotonic() + 60
    while (told := client.get("/monitor/facts").json()["privacy"]["hall"])["epsilon"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert told["epsilon"] == pytest.approx(statement([spend]).epsilon)
    assert "δ" in told["text"]


def test_names_of_sites_are_text_and_never_markup(opened: Any, home: Path) -> None:
    wicked = "<img src=x onerror=alert(1)>"
    close_round(home, report(3, asked=[wicked], accepted={}, lost={wicked: "<b>late</b>"}))
    opened.wait_for_selector("#presence :text('onerror')")
    assert opened.query_selector("#presence img") is None
    assert opened.query_selector("#presence b") is None


def test_the_chart_is_drawn_for_the_screen_that_it_is_on(
    opened: Any, tiny_letters: Callable[[Any], list[str]], until: Callable[[Any, str], None]
) -> None:
    opened.set_viewport_size({"width": 390, "height": 800})
    until(opened, "document.querySelector('svg.chart').viewBox.baseVal.width < 390")
    assert tiny_letters(opened) == []
    assert (
        opened.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('#chart .scroll'))") == 0
    )


def test_axe_finds_no_barrier(
    page: Any, home: Path, plan: Plan, serve: Callable[..., str], barriers: Callable[[Any], list[str]]
) -> None:
    page.goto(serve(monitor_app(home, plan)))
    page.wait_for_selector("body[data-ready]")
    assert barriers(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert barriers(page) == []
    page.close()


def test_axe_finds_no_barrier_in_the_report_of_a_campaign(
    page: Any, home: Path, barriers: Callable[[Any], list[str]], tiny_letters: Callable[[Any], list[str]]
) -> None:
    write_document(home / "campaigns/0001/gate.json", GATE)
    page.goto(write_report(home / "campaigns/0001").as_uri())
    assert page.inner_text("h2.poor") == "Not released: hall would lose 0.1000 AUC"
    assert barriers(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert tiny_letters(page) == []
    page.close()
