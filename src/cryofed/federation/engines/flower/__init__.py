"""Flower's wire protocol carries the vectors between real sites, and nothing of its platform runs.

The aggregator serves Flower's Fleet API alone, over mutual TLS and Flower's node authentication. A site is a
loop of ours over Flower's HTTP client. There is no run submission, no app bundle and no child of Flower's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryofed.federation.engines.remote.engine import RemoteEngine

if TYPE_CHECKING:
    from cryofed.federation.engines.remote.machines import RemoteMachines
    from cryofed.federation.engines.remote.rehearsing import Cast


class Flower(RemoteEngine):
    """Aggregator and site are processes of ours."""

    name = "flower"

    @property
    def machines(self) -> RemoteMachines:
        """The server and the loops."""
        from cryofed.federation.engines.flower.machines import FlowerMachines

        return FlowerMachines()

    def cast(self) -> Cast:
        """The real server and the real site loops."""
        from cryofed.federation.engines.flower.rehearsal import CAST

        return CAST


FLOWER = Flower()
