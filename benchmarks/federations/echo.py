"""A site that answers at once with a vector as long as the model: what is left is the engine's own time.

As a learner's process of FLARE: python -m benchmarks.federations.echo KIT.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.wire.codecs import Buffer, encode
from cryofed.federation.wire.orders import Answer, unpack_order
from cryofed.federation.wire.parcels import pack_update
from cryofed.federation.wire.updates import Update

MOST = 100_000_000  # numbers


def echo(data: Buffer, name: str) -> Answer:
    """An update of small numbers."""
    order = unpack_order(data, MOST)
    update = Update(
        site=name,
        round_number=order.round_number,
        model_hash=order.model_hash,
        layout_hash=order.layout_hash,
        vector=np.full(len(order.vector), 1e-6, np.float32),
        examples=100,
        steps=1,
    )
    return Answer(site=name, data=pack_update(update, encode(update.vector, "float32")))


def site_echo(data: Buffer, plan: Plan, site: object) -> Answer:
    """The same for the embedded engine's workers."""
    return echo(data, str(site.name))  # type: ignore[attr-defined]


if __name__ == "__main__":
    from cryofed.federation.engines.remote.learner_child import serve

    name = Path(sys.argv[1]).parent.name
    serve(lambda data, _: echo(data, name))
