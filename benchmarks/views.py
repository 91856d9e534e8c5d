"""How well averages are grouped by view: simulated classes, whose direction of view is known."""

import numpy as np

from cryofed.scoring.prepare import prepare_job
from cryofed.selection.views import SAME_VIEW, average_linkage, similarity
from cryofed.simulation.classes.job import simulate_job
from cryofed.simulation.spec import random_spec

JOBS = 40
NEAR, FAR = 8.0, 30.0  # degrees between two directions of view


def main() -> None:
    pairs = np.concatenate([_pairs(seed) for seed in range(JOBS)])
    angle, together = pairs[:, 0], pairs[:, 1] == 1
    other = np.isnan(angle)
    print(f"{JOBS} simulated jobs, {len(pairs):,} pairs of good classes, groups from likeness {SAME_VIEW}")
    print(f"same molecule, views within {NEAR:.0f}°: {together[angle < NEAR].mean():.0%} in one group")
    print(f"same molecule, views over {FAR:.0f}° apart: {together[angle > FAR].mean():.0%} in one group")
    print("  (symmetric molecules have equal views far apart; they are counted here as errors)")
    if other.any():
        print(f"different molecules: {together[other].mean():.1%} in one group")


def _pairs(seed: int) -> np.ndarray:
    """`(pairs, 2)`: the angle between two good classes' views (NaN: other molecules), and 1 if grouped."""
    made = simulate_job(random_spec(np.random.default_rng(seed)), seed)
    truth = made.truth
    good = np.flatnonzero(truth.good & np.isfinite(truth.view).all(axis=1))
    first, second = np.triu_indices(len(good), 1)
    if not len(first):
        return np.zeros((0, 2))
    label = average_linkage(similarity(prepare_job(made.job)[good]), SAME_VIEW)
    view = truth.view[good] / np.linalg.norm(truth.view[good], axis=1, keepdims=True)
    # a view from behind is the mirror image of the view from before: the same view
    angle = np.degrees(np.arccos(np.clip(np.abs(view @ view.T), 0, 1)))
    same = truth.molecule[good][first] == truth.molecule[good][second]
    return np.stack([np.where(same, angle[first, second], np.nan), label[first] == label[second]], axis=1)


if __name__ == "__main__":
    main()
