"""Options that say from which model a federation begins: the shipped one, a file's, or an untrained one."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryofed.scoring.named import model_weights


def first_weights(options: argparse.Namespace) -> Path | None:
    """The file of the weights that `--model` names."""
    return model_weights(options.model) if options.model else None


def add_first_model(parser: argparse.ArgumentParser) -> None:
    """`--model` and `--from-scratch`."""
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--model",
        type=Path,
        help="first model, its folder or a file in it (default: the one that CryoFed ships)",
    )
    start.add_argument(
        "--from-scratch",
        action="store_true",
        help="first model untrained, by the plan's seed; it needs a plan of federation new --whole, with a "
        "training.learning_rate of about 0.001",
    )
