"""Founding and joining as people type it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from cryofed.cli.main import main
from cryofed.trust.words import fingerprint_words

pytest.importorskip("nvflare", reason="the engine of real sites is not installed: pip install '.[flare]'")


NEW = ["federation", "new", "plan.toml", "--name", "demo", "--engine", "flare", "--sites", "a,b"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(NEW) == 0
    assert main(["federation", "provision", "plan.toml"]) == 0
    return tmp_path


def joining(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Ask to join; the fingerprint to read out."""
    capsys.readouterr()
    invitation = "demo/flare/invitation.toml"
    assert main(["site", "join", invitation, "--name", name, "--organization", "Lab A", "--home", name]) == 0
    return re.findall(r"SHA256:[0-9A-F:]+", capsys.readouterr().out)[-1]


def test_a_site_joins_in_four_commands(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = joining("a", capsys)
    # As a person types what is read out: without prefix and colons, in small letters.
    monkeypatch.setattr(
        "sys.stdin", io.StringIO(told.removeprefix("SHA256:").replace(":", "").lower() + "\n")
    )
    assert main(["federation", "approve", "plan.toml", "a/a.request.pem"]) == 0
    shown = capsys.readouterr()
    assert "name          a\norganization  Lab_A\nrole          site" in shown.err
    assert shown.out.strip() == f"send this file back to the site: {folder / 'a' / 'a.signed.pem'}"
    assert main(["site", "join", "a/a.signed.pem", "--home", "a"]) == 0
    assert "a has joined; its key lies in" in capsys.readouterr().out
    assert main(["site", "policy", "check", "--home", "a"]) == 0  # written at joining, commented
    assert main(["site", "policy", "show", "--home", "a"]) == 0
    assert "min_examples = 32  # different averages in a round" in capsys.readouterr().out
    assert main(["site", "status", "--home", "a"]) == 0
    status = capsys.readouterr().out
    assert "a: does not run" in status
    assert f"key {told}" in status
    assert "aggregator unattested" in status
    assert main(["site", "start", "--home", "a"]) == 1  # one line: which file, what to run
    assert re.fullmatch(r"error: .*site\.toml: library: no file .*harvest.*\n", capsys.readouterr().err)


def test_approval_needs_the_fingerprint_that_the_site_reads_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    joining("a", capsys)
    other = "SHA256:" + ":".join(["AB"] * 32)
    assert main(["federation", "approve", "plan.toml", "a/a.request.pem", "--fingerprint", other]) == 1
    assert "is not the one that was read out; nothing was signed" in capsys.readouterr().err
    assert not list(folder.glob("a/*.signed.pem"))


def test_approval_takes_the_words_that_stand_for_the_fingerprint(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = joining("a", capsys)
    words = fingerprint_words(told)
    wrong = words.rsplit(" ", 1)[0] + " zebra zoo"
    assert main(["federation", "approve", "plan.toml", "a/a.request.pem", "--fingerprint", wrong]) == 1
    assert main(["federation", "approve", "plan.toml", "a/a.request.pem", "--fingerprint", words]) == 0
    assert f"in words      {words}" in capsys.readouterr().err


def test_both_sides_are_told_the_authority_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["federation", "provision", "plan.toml", "--invite"]) == 0
    told = capsys.readouterr().out
    both = [fingerprint_words(key) for key in re.findall(r"SHA256:[0-9A-F:]+", told)]
    assert len(both) == 2  # authority and coordinator
    assert all(words in told for words in both)
    invitation = "demo/flare/invitation.toml"
    assert main(["site", "join", invitation, "--name", "a", "--organization", "Lab A", "--home", "a"]) == 0
    shown = capsys.readouterr().out
    assert "else go no further" in shown
    assert all(words in shown for words in both)


def test_approval_refuses_a_name_that_the_plan_does_not_have(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = joining("c", capsys)
    assert main(["federation", "approve", "plan.toml", "c/c.request.pem", "--fingerprint", told]) == 1
    assert "c is not in the plan; add a [[sites]] table" in capsys.readouterr().err


def test_run_without_provisioning_says_what_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(NEW) == 0
    assert main(["federation", "start", "plan.toml"]) == 1
    assert "no aggregator here; first: cryofed federation provision" in capsys.readouterr().err
    assert main(["federation", "stop", "plan.toml"]) == 0  # nothing to stop is fine


def test_an_engine_without_machines_has_nothing_to_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["federation", "new", "plan.toml", "--sites", "a,b"]) == 0
    for command in ("provision", "start", "stop"):
        capsys.readouterr()
        assert main(["federation", command, "plan.toml"]) == 1
        assert "engine embedded: all its sites are on this machine" in capsys.readouterr().err


def test_a_site_that_was_not_invited_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("start", "stop"):
        assert main(["site", command, "--home", str(tmp_path / "a")]) == 1
        assert "first: cryofed site join INVITATION" in capsys.readouterr().err
