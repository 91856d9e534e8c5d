"""What all commands have in common: `--json`, words for a model, exit statuses, silent without a terminal."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cryofed.cli.examples import STATUS
from cryofed.cli.main import COMMANDS, make_parser

# These do something and report nothing that a program would read, and why.
NO_REPORT = {
    "review": "serves a page",
    "federation monitor": "serves a page",
    "relion-job": "RELION reads its files, not its words",
    "completion": "prints a script",
    "simulate sites": "makes files",
    "simulate corpus": "makes files",
    "simulate jobs": "makes files",
    "federation new": "writes a plan",
    "federation provision": "writes an invitation",
    "federation approve": "writes an answer",
    "federation revoke": "says that it is done",
    "federation start": "says that it is done",
    "federation stop": "says that it is done",
    "federation release promote": "says that it is done",
    "federation release rollback": "says that it is done",
    "site join": "a talk with a person",
    "site start": "says that it is done",
    "site stop": "says that it is done",
    "site policy": "TOML is for programs, too",
    "learnt remove": "says that it is done",
}


def leaves(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that can be typed, with its parser."""
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not below:
        yield name.strip(), parser
    for action in below:
        for word, child in action.choices.items():
            yield from leaves(child, f"{name} {word}")


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {text for action in parser._actions for text in action.option_strings}


def test_every_command_that_reports_does_so_for_programs_too() -> None:
    found = dict(leaves(make_parser(set(COMMANDS))))
    assert set(NO_REPORT) <= set(found)
    assert [
        name for name, one in found.items() if name not in NO_REPORT and "--json" not in options(one)
    ] == []
    json = [a for one in found.values() for a in one._actions if "--json" in a.option_strings]
    assert all(isinstance(action, argparse._StoreTrueAction) for action in json)  # the same everywhere


def test_a_model_is_named_by_one_word() -> None:
    for name, parser in leaves(make_parser(set(COMMANDS))):
        assert not {"--start", "--weights", "--release", "--from"} & options(parser), name


def test_exit_statuses_are_in_the_help_of_every_command() -> None:
    below = next(
        action
        for action in make_parser(set(COMMANDS))._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    for name, child in below.choices.items():
        assert STATUS in (child.epilog or ""), name


def test_without_a_terminal_nothing_is_drawn_and_no_colour_is_sent(tmp_path: Path) -> None:
    words = ["simulate", "sites", "--sites", "1", "--jobs", "1", "--jobs-per-project", "1", "--workers", "1"]
    made = cryofed(*words, "--out", str(tmp_path / "world"))
    assert made.stderr == ""
    harvested = cryofed("harvest", str(tmp_path / "world/site-1"), "--library", str(tmp_path / "site.db"))
    told = harvested.stdout + harvested.stderr
    assert "1 selections found" in told
    assert not set(told) & set("\033\r")
    assert "reading selections" not in told


def cryofed(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "TTY_COMPATIBLE")
    }
    command = [sys.executable, "-m", "cryofed", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
