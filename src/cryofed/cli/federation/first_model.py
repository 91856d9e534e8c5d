"""Options that say from which model a federation begins: the shipped one, a file's, or an untrained one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryofed.learning.vector import Vector


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


def first_model(options: argparse.Namespace) -> tuple[Vector | None, str]:
    """The model and where it is from; None is an untrained one. Needs no torch."""
    from safetensors.numpy import load_file

    from cryofed.errors import InputError
    from cryofed.federation.releases.refill import places_in
    from cryofed.scoring.scorer import SHIPPED

    if options.from_scratch:
        return None, "untrained"
    path = options.start or SHIPPED.with_name("weights.safetensors")
    try:
        arrays = load_file(path)
    except Exception as error:  # safetensors raises its own type for a damaged header
        found = type(error).__name__
        raise InputError(path, "weights", f"not readable ({found})", "copy the file again") from None
    layout, _, _ = places_in(SHIPPED.parent)
    return layout.join(arrays), "given" if options.start else "shipped"
