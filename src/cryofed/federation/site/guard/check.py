"""First guard: what must hold before anything leaves; else the site sits this round out."""

from __future__ import annotations

import numpy as np

from cryofed.errors import GuardError
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.wire.updates import Update


def check(update: Update, size: int, channels: int, rules: GuardRules) -> None:
    """Refuse to send an update that is broken, or that few averages or steps would show through.

    A gradient of one batch of a few images can be inverted to the images; the mean of many cannot.

    Raises:
        GuardError: the reason, with what to do.
    """
    vector, examples, steps = update.vector, update.examples, update.steps
    if vector.dtype != np.float32 or vector.shape != (channels * size,):
        raise GuardError("shape", f"the update has {vector.size} numbers, not {channels} × {size}")
    if not np.isfinite(vector).all():
        raise GuardError("not-finite", "training diverged (NaN or infinity); lower the plan's learning rate")
    if examples < rules.min_examples:
        found = f"{examples} labelled averages, the policy asks for {rules.min_examples}"
        raise GuardError("few-examples", f"{found}; harvest more, or lower guard.min_examples")
    if steps < rules.min_steps:
        found = f"{steps} local steps, the policy asks for {rules.min_steps}"
        raise GuardError("few-steps", f"{found}; raise training.steps in the plan")
    if not vector.any():
        raise GuardError("unchanged", "training changed nothing; there is nothing to send")
