"""How fast updates become a model: our mean and robust rules beside a copy, NumPy and NVIDIA FLARE's helper.

All run in turn in one process on one thread, on the same updates; ratios are taken within a repetition.
`python -m benchmarks.aggregation --numbers 25000000 --sites 16` is the case of the docs (1.6 GB of input).
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from cryofed.federation.strategies.registry import make_strategy
from cryofed.federation.strategies.strategy import State
from cryofed.federation.wire.updates import Update

ARRAYS = 100  # FLARE adds arrays by name; the vector is cut into as many


def updates_of(sites: int, numbers: int) -> list[Update]:
    rng = np.random.default_rng(1)
    base = rng.standard_normal(numbers, np.float32)
    return [
        Update(
            site=f"site-{i:03}",
            round_number=1,
            model_hash="",
            layout_hash="",
            vector=np.roll(base, i * 1009) * np.float32(1 + i / sites),
            examples=100 + i,
            steps=1,
        )
        for i in range(sites)
    ]


def copied(updates: list[Update], start: np.ndarray) -> np.ndarray:
    """The physical limit of anything that writes as much as it reads: every update is copied once."""
    result = np.empty_like(start)
    for update in updates:
        np.copyto(result, update.vector)
    return result


def numpy_mean(updates: list[Update], start: np.ndarray) -> np.ndarray:
    """What anyone would write."""
    total = np.zeros_like(start)
    for update in updates:
        total += np.float32(update.examples) * update.vector
    return start + total / np.float32(sum(u.examples for u in updates))


def flare_mean(updates: list[Update], start: np.ndarray) -> np.ndarray:
    """FLARE's FedAvg arithmetic, without its transport."""
    from nvflare.app_common.aggregators.weighted_aggregation_helper import WeightedAggregationHelper

    helper = WeightedAggregationHelper()
    for update in updates:
        parts = {str(i): part for i, part in enumerate(np.array_split(update.vector, ARRAYS))}
        helper.add(parts, update.examples, update.site, 1)
    result = helper.get_result()
    return start + np.concatenate([result[str(i)] for i in range(ARRAYS)])


def ours(name: str) -> Callable[[list[Update], np.ndarray], np.ndarray]:
    strategy = make_strategy(name, {})
    return lambda updates, start: strategy.combine(State(vector=start), updates).vector


def numpy_median(updates: list[Update], start: np.ndarray) -> np.ndarray:
    """The plain way, for the ratio; a tenth of the numbers, for its memory and time."""
    tenth = len(start) // 10
    return start[:tenth] + np.median([u.vector[:tenth] for u in updates], axis=0)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aggregation", description=__doc__)
    parser.add_argument("--numbers", type=int, default=2_500_000)
    parser.add_argument("--sites", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args([] if arguments is None else arguments)
    updates = updates_of(options.sites, options.numbers)
    start = np.zeros(options.numbers, np.float32)
    ways: dict[str, Callable[[list[Update], np.ndarray], np.ndarray]] = {
        "copy": copied,
        "numpy, acc += c * x": numpy_mean,
    }
    try:
        import nvflare  # noqa: F401

        ways["nvflare WeightedAggregationHelper"] = flare_mean
    except ImportError:
        print("nvflare is not installed: its row is left out")
    names = ("fedavg", "robust", "median", "trimmed-mean", "norm-bounded", "geometric-median", "multi-krum")
    ways |= {name: ours(name) for name in names}
    ways["numpy.median of a tenth"] = numpy_median
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, way in ways.items():
            begun = time.process_time()
            way(updates, start)
            spent[name].append(time.process_time() - begun)
    print(
        f"{options.sites} updates of {options.numbers:,} float32, CPU seconds, {options.repeats} repetitions"
    )
    print("| way | CPU s, median | GB/s | times numpy's mean | extra MiB at most |")
    print("|---|---|---|---|---|")
    size = options.sites * options.numbers * 4 / 1e9
    for name, way in ways.items():
        tracemalloc.start()
        way(updates, start)
        extra = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        ratio = np.median(np.array(spent[name]) / np.array(spent["numpy, acc += c * x"]))
        median = float(np.median(spent[name]))
        print(f"| {name} | {median:.3f} | {size / median:.1f} | {ratio:.2f} | {extra:.0f} |")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
