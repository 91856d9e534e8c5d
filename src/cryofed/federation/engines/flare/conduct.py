"""What a segment does with its carrier: the campaign that lies in its folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryofed.federation.engines.flare.carrier import FlareCarrier
from cryofed.federation.engines.port import run_rounds
from cryofed.federation.plan_file import read_plan
from cryofed.federation.rounds import open_rounds
from cryofed.federation.storage import read_arrays
from cryofed.learning.vector import Layout


def conduct(folder: Path, carrier: FlareCarrier) -> None:
    """Run the rounds to their end."""
    plan = read_plan(folder / "plan.toml")
    arrays, header = read_arrays(folder / "start.safetensors")
    layout = Layout(tuple(header["names"]), tuple(tuple(shape) for shape in header["shapes"]))
    with open_rounds(folder, plan, layout, np.array(arrays["vector"])) as rounds:
        run_rounds(rounds, carrier)
