"""Several small networks under one recipe and budget, judged on molecules left out and by their cost.

`python -m benchmarks architectures` trains every shape with two seeds on one simulated corpus (a run that was
stopped goes on) and writes the table of docs/architectures.md. `python -m benchmarks.architectures --help`
says what else. No real average is read.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measuring.page import write_between
from benchmarks.peers.architectures import ALL, Architecture, as_onnx
from benchmarks.peers.corpus import ROOT, SEED, cache, training_and_left_out
from benchmarks.peers.peers import answers, train_ours
from benchmarks.peers.training import Half, Learnt, Recipe
from cryofed.learning.learner import TrainingSettings, batch_loss
from cryofed.learning.metrics import auc, brier, calibration_error
from cryofed.learning.personalize import gain
from cryofed.library.labelled import Labelled
from cryofed.scoring.calibration import fit_platt, sigmoid

PAGE = ROOT / "docs" / "architectures.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A trained shape on the jobs left out."""

    shape: Architecture
    seed: int
    answer: NDArray[np.float64]  # (n,) logits
    learnt: Learnt

    def figures(self, left_out: Labelled) -> dict[str, float]:
        """AUC, Brier score and calibration error, all jobs on one scale."""
        score = calibrated(self.answer, left_out)
        return {
            "AUC": auc(self.answer, left_out.good),
            "Brier": brier(score, left_out.good),
            "ECE": calibration_error(score, left_out.good),
        }


def calibrated(answer: NDArray[np.float64], left_out: Labelled) -> NDArray[np.float64]:
    """Probabilities: slope and offset of the odd jobs for the even ones, and the other way round."""
    odd = np.unique(left_out.job, return_inverse=True)[1] % 2 == 1
    result = np.empty(len(answer))
    for half in (odd, ~odd):
        platt = fit_platt(answer[~half], left_out.good[~half])
        result[half] = sigmoid(platt.slope * answer[half] + platt.offset)
    return result


def judge(shape: Architecture, seed: int, training: Labelled, left_out: Labelled, level: int) -> Judged:
    """Train the shape, or go on from its checkpoint, and score the jobs left out."""
    level = level * shape.times
    recipe = Recipe(seed=seed, level=level, patience=level)  # the same steps for every shape
    path = checkpoint(shape, seed, training, level)
    model, learnt = train_ours(fresh(shape, seed), training, left_out, recipe, path)
    kept = path.with_suffix(".npy")
    if not kept.is_file():
        np.save(kept, answers(model, left_out, left_out.features))
    return Judged(shape=shape, seed=seed, answer=np.load(kept), learnt=learnt)


def checkpoint(shape: Architecture, seed: int, training: Labelled, level: int) -> Path:
    return cache() / f"shape-{shape.name.replace(' ', '-')}-{len(training)}-{level}-{seed}.pt"


def fresh(shape: Architecture, seed: int) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return shape.make()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a shape takes, in processor time of one thread."""

    parameters: int
    training_seconds: float  # per 1,000 views, augmentation included
    images_per_second: float  # ONNX Runtime, one view each


def cost(shape: Architecture, training: Labelled, repeats: int = 5) -> Cost:
    """Median over a few batches of 64."""
    import onnxruntime

    model = fresh(shape, 0)
    rng, rows = np.random.default_rng(0), np.arange(64)
    halved = Half(model.to(memory_format=torch.channels_last).train())
    steps = []
    for _ in range(repeats + 1):
        started = time.process_time()
        batch_loss(halved, training, rows, TrainingSettings(), rng).backward()  # type: ignore[arg-type]  # same outputs
        steps.append(time.process_time() - started)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(as_onnx(fresh(shape, 0)), options)
    given = {"images": np.zeros((64, 64, 64), np.float32), "features": training.features[rows]}
    runs = []
    for _ in range(3 * repeats + 1):
        started = time.process_time()
        session.run(["logits"], given)
        runs.append(time.process_time() - started)
    return Cost(
        parameters=sum(p.numel() for p in model.parameters()),
        training_seconds=float(np.median(steps[1:])) / 64 * 1000,
        images_per_second=64 / float(np.median(runs[1:])),
    )


def table(judged: list[Judged], costs: dict[str, Cost], left_out: Labelled) -> str:
    """One row a shape: means over seeds, and the AUC's distance from the shipped shape's over jobs."""
    lines = [
        "| shape | parameters | AUC by seed | against shipped | Brier | ECE "
        "| training s per 1,000 views | images a second |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    shipped = {j.seed: j for j in judged if j.shape.name == "shipped"}
    for shape in ALL:
        mine = [j for j in judged if j.shape.name == shape.name]
        if not mine:
            continue
        told = [j.figures(left_out) for j in mine]
        mean = {name: float(np.mean([t[name] for t in told])) for name in told[0]}
        each, price = " / ".join(f"{t['AUC']:.4f}" for t in told), costs[shape.name]
        lines.append(
            f"| {shape.name}: {shape.words} | {price.parameters:,} | {each} "
            f"| {_against(mine, shipped, left_out)} | {mean['Brier']:.4f} | {mean['ECE']:.4f} "
            f"| {price.training_seconds:.2f} | {price.images_per_second:,.0f} |"
        )
    return "\n".join(lines)


def _against(mine: list[Judged], shipped: dict[int, Judged], left_out: Labelled) -> str:
    """Mean over seeds of the difference of AUC, ± its standard error over jobs."""
    pairs = [(j, shipped[j.seed]) for j in mine if j.seed in shipped and j.shape.name != "shipped"]
    if not pairs:
        return ""
    told = np.array([gain(one.answer, other.answer, left_out) for one, other in pairs])
    return f"{told[:, 0].mean():+.4f} ± {told[:, 1].mean():.4f}"


def main(arguments: list[str] | None = None) -> None:
    """Train what is not yet trained, and write the page's table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.architectures", description=__doc__)
    parser.add_argument("--jobs", type=int, default=700, help="simulated jobs (default 700)")
    parser.add_argument("--level", type=int, default=450, help="steps before the rate falls (default 450)")
    parser.add_argument("--seeds", type=int, default=2, help="run seeds 1 to this (default 2)")
    parser.add_argument("--shapes", nargs="*", metavar="NAME", help="train these only (default: all)")
    parser.add_argument("--minutes", type=float, default=1e9, help="start no training after so many minutes")
    options = parser.parse_args([] if arguments is None else arguments)
    torch.set_num_threads(1)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    training, left_out = (part.own for part in training_and_left_out(options.jobs, say))
    end, judged = time.monotonic() + 60 * options.minutes, []
    for seed in range(1, options.seeds + 1):
        for shape in ALL:
            kept = checkpoint(shape, seed, training, options.level * shape.times).with_suffix(".npy")
            wanted = options.shapes is None or shape.name in options.shapes
            if not kept.is_file() and (not wanted or time.monotonic() > end):
                continue
            judged.append(judge(shape, seed, training, left_out, options.level))
            told = judged[-1].figures(left_out)
            say(f"{shape.name}, seed {seed}: " + ", ".join(f"{name} {v:.4f}" for name, v in told.items()))
    costs = {shape.name: cost(shape, training) for shape in ALL}
    facts = {
        "table": table(judged, costs, left_out),
        "run": _run_line(judged, training, left_out, options.jobs, options.level),
    }
    print("\n".join(facts.values()))
    write_between(PAGE, facts)


def _run_line(judged: list[Judged], training: Labelled, left_out: Labelled, jobs: int, level: int) -> str:
    steps, minutes = min(j.learnt.steps for j in judged), sum(j.learnt.seconds for j in judged) / 60
    return (
        f"{steps} steps of 64 ({level} before the rate falls), {len(training):,} averages to train on and "
        f"{len(left_out):,} of other molecules to judge by ({jobs} jobs, seed {SEED}), seed 1 and, "
        f"where more figures stand, the next; {minutes:.0f} minutes of processor time in all, one thread, "
        f"bfloat16, torch {torch.__version__.split('+')[0]}, {platform.machine()}."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
