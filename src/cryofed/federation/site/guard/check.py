"""First guard: what must hold before anything leaves; else the site sits this round out."""

from __future__ import annotations

import numpy as np

from cryofed.errors import GuardError
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.wire.updates import Update


def check(update: Update, size: int, channels: int, rules: GuardRules, seen: int) -> None:
    """Refuse to send an update that is broken, or that few averages or steps would show through.

    A gradient of one batch of a few images can be inverted to the images; the mean of many cannot. So `seen`
    counts, the averages that the update was made of: a plan of one step with one average makes it of one.

    Raises:
        GuardError: the reason, with what to do.
    """
    vector, steps = update.vector, update.steps
    if vector.dtype != np.float32 or vector.shape != (channels * size,):
        raise GuardError("shape", f"the update has {vector.size} numbers, not {channels} × {size}")
    if not np.isfinite(vector).all():
        raise GuardError("not-finite", "training diverged (NaN or infinity); lower the plan's learning rate")
    if seen < rules.min_examples:
        found = f"{seen} labelled averages in this round's batches, the policy asks for {rules.min_examples}"
        remedy = "harvest more, raise the plan's training.steps or batch, or lower guard.min_examples"
        raise GuardError("few-examples", f"{found}; {remedy}")
    if steps < rules.min_steps:
        found = f"{steps} local steps, the policy asks for {rules.min_steps}"
        raise GuardError("few-steps", f"{found}; raise training.steps in the plan")
    if not vector.any():
        raise GuardError("unchanged", "training changed nothing; there is nothing to send")
