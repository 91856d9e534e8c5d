"""Options that say from which model a federation begins: the shipped one, a file's, or an untrained one."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryofed.cli.model import model_folder


def first_weights(options: argparse.Namespace) -> Path | None:
    """The file of the weights that `--model` names."""
    folder = model_folder(options.model)
    return folder / "weights.safetensors" if folder else None


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
        help="first model untrained, by the plan's seed; it needs a training.learning_rate of about 0.001",
    )
