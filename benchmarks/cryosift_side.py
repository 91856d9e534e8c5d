"""How large CryoSift's shape likes its picture: short trainings, judged on molecules left out.

CryoSift pads to 210 × 210, which no CPU trains in an evening. `python -m benchmarks cryosift_side` trains at
several sides for the same short time; docs/model.md uses the best of them.
"""

from __future__ import annotations

import sys

import torch

from benchmarks._peer_corpus import cache, training_and_left_out
from benchmarks._peers import cryosift, train_peer
from benchmarks._training import Recipe
from benchmarks.selection import PEER_JOBS

SIDES = (64, 96)
LEVEL = 180  # steps before the rate falls; 240 in all


def main() -> None:
    torch.set_num_threads(1)
    training, left_out = training_and_left_out(PEER_JOBS, lambda text: print(text, file=sys.stderr))
    print("| side | error left out | CPU s for 240 steps of 64 |\n|---|---:|---:|")
    for side in SIDES:
        recipe = Recipe(level=LEVEL, every=60, patience=LEVEL)
        path = cache() / f"cryosift-side-{side}-{len(training.own)}.pt"
        _, learnt = train_peer(cryosift(side), training, left_out, recipe, path)
        print(f"| {side} | {learnt.best[1]:.4f} | {learnt.seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
