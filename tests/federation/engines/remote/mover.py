"""A site for a campaign that moves: python -m tests.federation.engines.remote.mover KIT, or as a function.

It answers by round, site and model alone, and not at all in rounds after `LIMIT`: so a leg of the way ends
exactly where it should, however fast the machine is.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote.learner_child import serve
from cryofed.federation.wire.codecs import Buffer, encode
from cryofed.federation.wire.orders import Answer, Numbers, pack_numbers, unpack_order
from cryofed.federation.wire.parcels import pack_update
from cryofed.federation.wire.updates import Update

NAMES = ("alpha", "beta")
LIMIT = "CRYOFED_TEST_LIMIT"  # in the environment: the last round of this leg


def move(data: Buffer, name: str) -> Answer:
    """A tenth of the way to nothing, and noise; at the gate it is better than before."""
    order = unpack_order(data, 10**7)
    told = {"site": name, "round_number": order.round_number, "model_hash": order.model_hash}
    if order.task != "train":
        gate = {"0.auc": 0.8, "1.auc": 0.7, "0.held_out": 100.0, "1.held_out": 100.0}
        values = gate if order.task == "evaluate" else {"examples": 100.0}
        return Answer(site=name, data=pack_numbers(Numbers(task=order.task, values=values, **told)))  # type: ignore[arg-type]
    while order.round_number > int(os.environ[LIMIT]):
        time.sleep(0.1)
    number = NAMES.index(name)
    noise = np.random.default_rng([order.round_number, number]).normal(size=len(order.vector))
    vector = (1e-3 * noise - 0.1 * order.vector).astype(np.float32)
    update = Update(vector=vector, layout_hash=order.layout_hash, examples=101 + number, steps=1, **told)  # type: ignore[arg-type]
    return Answer(site=name, data=pack_update(update, encode(vector, "float32")))


def site_moves(data: Buffer, plan: Plan, site: object) -> Answer:
    """The same for the embedded engine's workers."""
    return move(data, str(site.name))  # type: ignore[attr-defined]


if __name__ == "__main__":
    own = Path(sys.argv[1]).parent.name
    serve(lambda data, plan: move(data, own))
