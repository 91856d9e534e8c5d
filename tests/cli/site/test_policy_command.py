"""`cryofed site policy`: a policy is written, checked, and shown as it is in force with a plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryofed.cli.main import main


def test_a_policy_is_written_once_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path / "site")]
    assert main(["site", "policy", "check", *home]) == 1
    assert "no such file; write one with: cryofed site policy write" in capsys.readouterr().err
    assert main(["site", "policy", "write", *home]) == 0
    assert main(["site", "policy", "check", *home]) == 0
    assert "every table and field is known" in capsys.readouterr().out
    assert main(["site", "policy", "write", *home]) == 1
    assert "there already" in capsys.readouterr().err
    path = tmp_path / "site" / "policy.toml"
    path.write_text(path.read_text().replace("[guard]", "[gaurd]"))
    assert main(["site", "policy", "check", *home]) == 1
    assert "gaurd: an unknown field; did you mean guard?" in capsys.readouterr().err
    assert main(["site", "policy", "write", "--force", *home]) == 0
    assert main(["site", "policy", "check", *home]) == 0


def test_what_is_in_force_is_the_stricter_of_plan_and_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.toml").write_text("[guard]\nmin_examples = 50\n")
    plan = tmp_path / "plan.toml"
    plan.write_text("[guard]\nmin_examples = 10\nprivate = true\n")
    assert main(["site", "policy", "show", "--home", str(tmp_path), "--plan", str(plan)]) == 0
    shown = capsys.readouterr().out
    assert "min_examples = 50" in shown
    assert "private = true" in shown


def test_without_a_file_the_defaults_are_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", "policy", "show", "--home", str(tmp_path)]) == 0
    assert "the defaults are in force" in capsys.readouterr().out
