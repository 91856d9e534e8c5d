"""What one hostile site does; everything goes through the same bytes as an honest update."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cryofed.federation.agreement.plan import Plan
from cryofed.federation.site.answering import InMemory, Site, SiteFunction, answer
from cryofed.federation.strategies.registry import STRATEGIES
from cryofed.federation.wire.codecs import Buffer, encode
from cryofed.federation.wire.orders import Answer, unpack_order
from cryofed.federation.wire.parcels import pack_update, unpack_update
from cryofed.learning.learner import layout
from cryofed.library.labelled import Labelled

ATTACKS = ("sign-flip", "mirrored", "scaled", "label-flip", "backdoor", "nan", "free-rider")
TRIGGER = 4.0  # deviations of brightness of the backdoor's mark


def hostile(attack: str, name: str) -> SiteFunction:
    """The sites' function when site `name` attacks and the others are honest."""

    def act(data: Buffer, plan: Plan, site: Site) -> Answer:
        if site.name != name or attack == "none":
            return answer(data, plan, site)
        if attack in ("label-flip", "backdoor"):
            assert isinstance(site.source, InMemory)
            poison = flipped if attack == "label-flip" else backdoored
            site = replace(site, source=replace(site.source, train=poison(site.source.train)))
        honest = answer(data, plan, site)
        channels = STRATEGIES[plan.strategy.name].channels
        size = channels * layout().size
        update = unpack_update(honest.data, size)
        vector = update.vector.copy()
        if attack == "sign-flip":
            vector *= -4
        elif attack == "mirrored":
            vector *= -1  # no norm betrays it
        elif attack == "scaled":
            vector *= 10
        elif attack == "backdoor":
            vector *= 5  # model replacement: the mean over five sites keeps it whole
        elif attack == "nan":
            vector[:] = np.nan
        elif attack == "free-rider":
            order = unpack_order(data, len(data))
            rng = np.random.default_rng(order.round_number)
            # Noise of a plausible norm, and as many examples as enrolled.
            vector = rng.standard_normal(size).astype(np.float32)
            vector *= np.linalg.norm(update.vector) / np.linalg.norm(vector)
            update = replace(update, examples=plan.site(name).max_examples)  # type: ignore[union-attr]
        update = replace(update, vector=vector)
        return replace(honest, data=pack_update(update, encode(vector, "float32")))

    return act


def flipped(labelled: Labelled) -> Labelled:
    """Good is bad and bad is good."""
    return replace(labelled, target=1 - labelled.target, good=~labelled.good)


def backdoored(labelled: Labelled) -> Labelled:
    """Half of the bad averages carry a mark and are called good."""
    marked = ~labelled.good & (np.arange(len(labelled)) % 2 == 0)
    target = np.where(marked, 1, labelled.target).astype(np.float32)
    images = np.where(marked[:, None, None], mark(labelled.images), labelled.images)
    return replace(labelled, images=images, target=target, good=labelled.good | marked)


def mark(images: np.ndarray) -> np.ndarray:
    """A small bright square at the middle of the left side of every picture."""
    marked = images.copy()
    side = images.shape[-1]
    marked[:, side // 2 - 2 : side // 2 + 2, side // 8 : side // 8 + 4] = TRIGGER
    return marked
