"""Options that say from which model a federation begins: the shipped one, a file's, or an untrained one."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_first_model(parser: argparse.ArgumentParser) -> None:
    """`--start` and `--from-scratch`."""
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--start", type=Path, metavar="WEIGHTS", help="first model (default: the one that CryoFed ships)"
    )
    start.add_argument(
        "--from-scratch",
        action="store_true",
        help="first model untrained, by the plan's seed; it needs a training.learning_rate of about 0.001",
    )
