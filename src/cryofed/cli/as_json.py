"""The option `--json`: the same for programs, and nothing else on standard output."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option to a command that reports."""
    parser.add_argument("--json", action="store_true", help="print the same as JSON and nothing else")


def print_json(facts: Any) -> None:
    """Print facts as one line, and at once: a program may be reading. A path becomes its text."""
    print(json.dumps(facts, allow_nan=False, default=str), flush=True)
