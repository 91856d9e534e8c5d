"""`cryofed completion SHELL`: a script with which the Tab key completes commands, options and files."""

from __future__ import annotations

import argparse

SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a user may type."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that reads the script")


def run(options: argparse.Namespace) -> int:
    """Print the script; every path completes as a file."""
    import shtab

    from cryofed.cli.main import COMMANDS, make_parser

    parser = make_parser(COMMANDS)
    _complete_paths(parser, shtab.FILE)
    print(shtab.complete(parser, options.shell))
    return 0


def _complete_paths(parser: argparse.ArgumentParser, file: object) -> None:
    """Mark every argument that is a path."""
    from pathlib import Path

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                _complete_paths(child, file)
        elif action.type is Path:
            action.complete = file  # type: ignore[attr-defined]  # shtab's own attribute
