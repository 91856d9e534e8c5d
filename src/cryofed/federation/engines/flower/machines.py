"""Flower's names, for what all engines of real machines do alike."""

from __future__ import annotations

from cryofed.federation.engines.remote.machines import RemoteMachines


class FlowerMachines(RemoteMachines):
    """Its processes are ours: `serve` and `node`."""

    engine = "flower"
    key_kind = "ec"  # the one key of a site signs in TLS and in Flower's own authentication
    package = "flwr"
    release = "1.42.*"  # the series that this adapter is written for; see inside.py
