"""Where the time of each path goes, step by step, with what bounds it on this machine, from the same run.

Selecting (200 classes of box 256, 200,000 particles) and combining updates, each step by itself in one
process: what runs side by side in the command is added up here. Bounds are the machine's own: bytes over the
speed at which memory is copied, multiplications over that of NumPy's matrix product on one core.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measuring.process import machine
from benchmarks.measuring.relion_job import write_job

REPEATS = 3
SITES, NUMBERS = 16, 2_500_000


@dataclass(frozen=True)
class Limits:
    bytes_a_second: float  # read and written: a copy counts twice
    products_a_second: float


def limits() -> Limits:
    """The best of a few trials: what the machine can do at most."""
    source, target = np.ones(1 << 24, np.float32), np.empty(1 << 24, np.float32)
    square = np.ones((1024, 1024), np.float32)
    copy = min(timed(lambda: np.copyto(target, source)) for _ in range(5))
    product = min(timed(lambda: square @ square) for _ in range(5))
    return Limits(2 * source.nbytes / copy, 1024**3 / product)


def timed(act: Callable[[], object]) -> float:
    """Processor seconds of this thread: others on this machine do not count."""
    start = time.process_time()
    act()
    return time.process_time() - start


def products_of(model: Path, averages: int) -> float:
    """Multiplications of the network for so many averages; a convolution keeps the side, but for a stride."""
    import onnx

    graph = onnx.load(model).graph
    sizes = {one.name: list(one.dims) for one in graph.initializer}
    side = {"images": 64}
    total = 0.0
    for node in graph.node:
        side[node.output[0]] = max((side.get(name, 1) for name in node.input), default=1)
        if node.op_type == "Conv":
            stride = next((one.ints[0] for one in node.attribute if one.name == "strides"), 1)
            side[node.output[0]] = -(-side[node.input[0]] // stride)
            total += float(np.prod(sizes[node.input[1]])) * side[node.output[0]] ** 2
        elif node.op_type == "Gemm":
            total += float(np.prod(sizes[node.input[1]]))
    return total * averages


def select_steps(folder: Path, most: Limits) -> list[tuple[str, float, float]]:
    """Name, seconds, bound in seconds; of one pass."""
    from cryofed.jobs.opening import open_job
    from cryofed.scoring import scorer
    from cryofed.scoring.features import features
    from cryofed.scoring.prepare import prepare_crops
    from cryofed.selection.policy import Policy, decide
    from cryofed.selection.relion import write
    from cryofed.selection.report import write_report

    job_folder = folder / "Class2D/job001"
    rows = job_folder / "run_it025_data.star"
    model = scorer.open_model(scorer.SHIPPED, "cpu")
    steps = []
    start = time.process_time()
    job = open_job(job_folder)
    pixels = np.array(job.averages)
    steps.append(("open: 200,000 rows, 52 MB of averages", time.process_time() - start,
                  (rows.stat().st_size + 2 * pixels.nbytes) / most.bytes_a_second))  # fmt: skip
    ways = scorer.FEWER_VIEWS
    spent = timed(lambda: features(job))
    steps.append(("features of all pixels", spent, pixels.nbytes / most.bytes_a_second))
    start = time.process_time()
    crops = prepare_crops(job, [crop for crop, _, _ in ways])
    reading = len(ways) * pixels.nbytes / most.bytes_a_second
    steps.append(("prepare: two crops of each", time.process_time() - start, reading))
    numbers = features(job)
    spent = timed(lambda: [scorer.run(model, images, numbers) for images in crops])
    products = products_of(scorer.SHIPPED, len(ways) * len(pixels))
    steps.append(("network: two views of each", spent, products / most.products_a_second))
    scores = scorer.score_job(job)
    half = Policy(threshold=float(np.nanmedian(scores.score)))
    start = time.process_time()
    selection = decide(job, scores, half)
    steps.append(("decide: groups that look alike", time.process_time() - start, float("nan")))
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "out").mkdir()
    spent = timed(lambda: write(job, selection, folder / "out", folder / "out"))
    written = sum(file.stat().st_size for file in (folder / "out").iterdir())
    steps.append((f"native files, {written / 1e6:.0f} MB", spent, 2 * written / most.bytes_a_second))
    spent = timed(lambda: write_report(job, selection, folder / "report.html", final=folder))
    steps.append(("report with 200 pictures", spent, float("nan")))
    return steps


def combine_steps(most: Limits) -> list[tuple[str, float, float]]:
    """The mean and a robust rule over updates of 10 MB."""
    from benchmarks.aggregation import ours, updates_of

    updates, start = updates_of(SITES, NUMBERS), np.zeros(NUMBERS, np.float32)
    bound = (SITES + 1) * 4 * NUMBERS / most.bytes_a_second
    ways = {name: ours(name) for name in ("fedavg", "median")}
    return [
        (f"{name} of {SITES} updates of 10 MB", timed(partial(way, updates, start)), bound)
        for name, way in ways.items()
    ]


def main() -> None:
    print(machine())
    most = limits()
    print(f"memory {most.bytes_a_second / 1e9:.1f} GB/s, {most.products_a_second / 1e9:.0f} G products/s")
    with tempfile.TemporaryDirectory() as folder:
        write_job(Path(folder) / "Class2D/job001")
        runs = [select_steps(Path(folder), most) + combine_steps(most) for _ in range(REPEATS)]
    imports = []
    for _ in range(REPEATS):
        code = "import time; import numpy, mrcfile, onnxruntime; print(time.process_time())"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        imports.append(float(done.stdout))
    print("| step | processor seconds | bound |\n|---|---:|---:|")
    print(f"| Python, NumPy, mrcfile, ONNX Runtime start | {statistics.median(imports):.2f} | |")
    for rows in zip(*runs, strict=True):
        spent, bound = (statistics.median(row[k] for row in rows) for k in (1, 2))
        print(f"| {rows[0][0]} | {spent:.3f} | {'' if np.isnan(bound) else f'{bound:.3f}'} |")


if __name__ == "__main__":
    main()
