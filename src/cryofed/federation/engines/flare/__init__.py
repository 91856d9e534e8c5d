"""NVIDIA FLARE carries the vectors between real sites: mutual TLS, keys made at home, no code on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryofed.federation.aggregator.campaign import Campaign
    from cryofed.federation.aggregator.rounds import Hook
    from cryofed.federation.agreement.plan import Plan


def run_plan(plan: Plan, path: Path, home: Path, hooks: Sequence[Hook]) -> Campaign:
    """Run one campaign on the federation that was provisioned in `home`, as every engine does.

    The aggregator is started if it does not run, and goes on running afterwards.
    """
    from cryofed.federation.engines.flare.coordinator.running import run_on_flare

    return run_on_flare(plan, home, hooks)
