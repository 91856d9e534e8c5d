"""The doctor finds what stops a machine, says what to do, and changes nothing."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cryofed.cli.main import main
from cryofed.doctor import installation, machine, membership
from cryofed.doctor.finding import worst
from cryofed.library.store import Library


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, dict[str, str]]]:
    status = main(["doctor", "--json", *words])
    told = json.loads(capsys.readouterr().out)
    return status, {one["subject"]: one for one in told["findings"]}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "site.db"
    Library(path, create=True).close()
    return path


def test_this_machine_is_ready(capsys: pytest.CaptureFixture[str], library: Path) -> None:
    status, found = said(capsys, "--library", str(library))
    assert status == 0
    assert found["telemetry"]["state"] == found["model"]["state"] == "good"
    assert found[f"library {library}"]["found"] == "whole: 0 projects, 0 labelled averages"
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.rstrip().splitlines()[-1].startswith("ready")


def test_what_was_switched_on_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    (one,) = [one for one in installation.installation() if one.subject == "telemetry"]
    assert one.state == "bad"
    assert "ORT_DISABLE_TELEMETRY" in one.found


def test_a_damaged_library_stops(capsys: pytest.CaptureFixture[str], library: Path) -> None:
    library.write_bytes(b"not a database at all" * 100)
    status, found = said(capsys, "--library", str(library))
    assert status == 1
    assert found[f"library {library}"]["state"] == "bad"
    assert main(["doctor", "--library", str(library)]) == 1
    assert "1 thing stops something: see ✗" in capsys.readouterr().out


def test_a_changed_row_of_a_library_stops(library: Path) -> None:
    with sqlite3.connect(library) as sql:
        sql.execute("PRAGMA foreign_keys = off")
        sql.execute(
            "INSERT INTO labellings (job, habit, source, made_at, review, job_score, labels, reasons)"
            " VALUES (9, 'binary', 'x', 'y', 0, 0, x'', x'')"
        )
    sql.close()
    assert membership.library(library).state == "bad"


def test_a_release_that_does_not_fit_is_named() -> None:
    assert installation._lacks(Requirement("numpy>=1")) == ""
    assert installation._lacks(Requirement("numpy<1")).startswith("numpy<1 (")
    assert installation._lacks(Requirement("no-such-package-of-anybody")) == "no-such-package-of-anybody"


def test_a_folder_without_rights_or_room_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine._disk(tmp_path / "new" / "one").state == "good"
    monkeypatch.setattr(machine, "LEAST_FREE", 2**62)
    assert machine._disk(tmp_path).state == "bad"
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert "not writable" in machine._disk(tmp_path).found


@pytest.mark.parametrize(
    ("script", "state", "word"),
    [
        ("echo yes", "good", "synchronized"),
        ("echo no", "note", "not synchronized"),
        ("exit 1", "note", "cannot tell"),
    ],
)
def test_the_clock_is_what_timedatectl_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, state: str, word: str
) -> None:
    tool = tmp_path / "timedatectl"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    found = machine._clock()
    assert (found.state, word in found.found) == (state, True)


def test_a_folder_that_is_no_site_says_how_to_join(tmp_path: Path) -> None:
    (one,) = membership.site(tmp_path)
    assert one.state == "bad"
    assert "cryofed site join INVITATION" in one.remedy


def test_a_plan_with_a_mistake_stops(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("nam = 'x'\n")
    (one,) = membership.plan(tmp_path / "plan.toml")
    assert one.state == "bad"
    assert "nam" in one.found


@pytest.fixture
def founded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("nvflare", reason="the engine of real sites is not installed: pip install '.[flare]'")
    monkeypatch.chdir(tmp_path)
    new = ["federation", "new", "plan.toml", "--name", "demo", "--engine", "flare", "--sites", "a,b"]
    assert main(new) == 0
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]  # nobody else's federation answers there
    plan = tmp_path / "plan.toml"
    plan.write_text(plan.read_text().replace("port = 8102", f"port = {port}"))
    assert main(["federation", "provision", "plan.toml"]) == 0
    return tmp_path


def test_an_aggregator_is_told_of_its_port_host_and_certificate(founded: Path) -> None:
    plan = founded / "plan.toml"
    with socket.socket() as listener:
        listener.bind(("", 0))
        listener.listen()
        port = listener.getsockname()[1]
        plan.write_text(re.sub(r"\nport = \d+", f"\nport = {port}", plan.read_text()))
        found = {one.subject: one for one in membership.plan(plan)}
        assert found["port"].state == "bad"
        assert "in use" in found["port"].found
    found = {one.subject: one for one in membership.plan(plan)}
    assert found["port"].state == found["certificate"].state == "good"
    assert "only this machine reaches it" in found["host"].found
    assert worst(list(found.values())) == "note"


def test_a_host_that_nobody_knows_stops(founded: Path) -> None:
    plan = founded / "plan.toml"
    plan.write_text(plan.read_text().replace('host = "localhost"', 'host = "no-such-host.invalid"'))
    found = {one.subject: one for one in membership.plan(plan)}
    assert found["host"].state == "bad"


def test_a_site_is_told_what_it_lacks_one_by_one(founded: Path, library: Path, capsys: object) -> None:
    join = ["site", "join", "demo/flare/invitation.toml", "--name", "a", "--home", "a"]
    assert main([*join, "--library", str(library)]) == 0
    found = {one.subject: one for one in membership.site(founded / "a")}
    assert "has not answered yet" in found["certificate"].found
    assert found[f"library {library}"].state == "good"
    key = founded / "a" / "request" / "key.pem"
    key.chmod(0o644)
    found = {one.subject: one for one in membership.site(founded / "a")}
    assert found["private key"].remedy == f"chmod 600 {key}"
    library.unlink()
    assert {one.subject: one for one in membership.site(founded / "a")}["library"].state == "bad"


def test_a_joined_site_learns_that_its_aggregator_does_not_answer(
    founded: Path, library: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    join = ["site", "join", "demo/flare/invitation.toml", "--name", "a", "--home", "a"]
    assert main([*join, "--library", str(library)]) == 0
    said = capsys.readouterr().out
    mark = next(word for line in said.splitlines() if "fingerprint" in line for word in line.split()[-1:])
    assert main(["federation", "approve", "plan.toml", "a/a.request.pem", "--fingerprint", mark]) == 0
    assert main(["site", "join", "a/a.signed.pem", "--home", "a"]) == 0
    found = {one.subject: one for one in membership.site(founded / "a")}
    assert found["certificate"].state == found["policy"].state == "good"
    assert found["aggregator"].state == "bad"
    assert "firewall" in found["aggregator"].remedy
    monkeypatch.setattr(membership, "SOON", 10_000)
    found = {one.subject: one for one in membership.site(founded / "a")}
    assert "days left" in found["certificate"].found
