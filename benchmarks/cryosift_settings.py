"""Which picture and learning rate CryoSift's shape likes: short trainings, judged on molecules left out.

CryoSift pads to 210 × 210, which no CPU trains in an evening, and learns at a rate of 1e-4 for 200 epochs.
`python -m benchmarks cryosift_settings` trains with several sides and rates for the same few steps.
"""

from __future__ import annotations

import sys

import torch

from benchmarks.peers.corpus import PEER_JOBS, cache, training_and_left_out
from benchmarks.peers.peers import cryosift, train_peer
from benchmarks.peers.training import Recipe

SETTINGS = ((64, 2e-3), (64, 5e-4), (96, 2e-3))  # side in pixels, learning rate
LEVEL = 180  # steps before the rate falls; 240 in all


def main() -> None:
    torch.set_num_threads(1)
    training, left_out = training_and_left_out(PEER_JOBS, lambda text: print(text, file=sys.stderr))
    print("| side | learning rate | error left out | CPU s for 240 steps of 64 |\n|---|---:|---:|---:|")
    for side, rate in SETTINGS:
        recipe = Recipe(level=LEVEL, every=60, patience=LEVEL, learning_rate=rate)
        path = cache() / f"cryosift-{side}-{rate}-{len(training.own)}.pt"
        _, learnt = train_peer(cryosift(side), training, left_out, recipe, path)
        print(f"| {side} | {rate} | {learnt.best[1]:.4f} | {learnt.seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
