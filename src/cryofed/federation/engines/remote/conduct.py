"""What a segment does with its carrier: the campaign of its federation, or a trial."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from cryofed.disk.arrays import read_arrays, write_arrays
from cryofed.disk.whole import write_whole
from cryofed.federation.aggregator.campaign import next_campaign, run_campaign
from cryofed.federation.aggregator.carrier import Carrier, run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan_file import read_plan
from cryofed.federation.engines.remote.agreeing import (
    PLAN,
    agreement_hash,
    asking_of,
    proving_of,
    seal_of,
    signed_agreement,
)
from cryofed.federation.engines.remote.homes import Home
from cryofed.learning.vector import Layout, Vector

CAMPAIGN = "campaign"  # a file: the number of the campaign that runs
_START = "start.safetensors"


def conduct(
    home: Path, own: Path, trial: str, carrier_of: Callable[[str], AbstractContextManager[Carrier]]
) -> None:
    """Run to the end, from the checkpoint if there is one.

    Args:
        home: the federation's folder, with releases and campaigns.
        own: the engine's folder in it.
        trial: a folder in `own`; empty for a campaign.
        carrier_of: makes the carrier, given what travels with every order: the signed agreement, or the plan
            of a trial.
    """
    folder = own / trial if trial else own
    plan = read_plan(folder / PLAN)
    text = (folder / PLAN).read_text() if trial else signed_agreement(plan, Home(own))
    with carrier_of(text) as carrier:
        if not trial:
            # The segment before this one may have ended the campaign after all.
            if next_campaign(home)[0] == int((own / CAMPAIGN).read_text()):
                there = Home(own)
                seal, agreed = seal_of(plan, there), agreement_hash(there)
                proving, asking = proving_of(plan, there), asking_of(plan, there)
                run_campaign(home, plan, carrier, seal=seal, proving=proving, asking=asking, agreement=agreed)
            return
        arrays, header = read_arrays(folder / _START)
        layout = Layout(tuple(header["names"]), tuple(tuple(shape) for shape in header["shapes"]))
        with open_rounds(folder, plan, layout, arrays["vector"]) as rounds:
            run_rounds(rounds, carrier)


def write_trial(folder: Path, plan_text: str, layout: Layout, start: Vector) -> None:
    """Prepare a trial: rounds of any layout, without release and gate. For benchmarks and tests."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / PLAN, plan_text.encode())
    if not (folder / _START).exists():
        header = {"names": list(layout.names), "shapes": [list(shape) for shape in layout.shapes]}
        write_arrays(folder / _START, {"vector": start}, header)
