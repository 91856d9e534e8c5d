"""`cryofed site personalize`: finish a release for one site; library and result stay at home."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.cli.as_json import add_json, print_json
from cryofed.cli.model import add_trust, checked_release
from cryofed.cli.numbers import count, natural
from cryofed.errors import MissingPackageError, OutputError
from cryofed.scoring.named import model_weights

if TYPE_CHECKING:
    from cryofed.learning.personalize import Personal
    from cryofed.learning.vector import Vector
    from cryofed.library.labelled import Labelled
    from cryofed.scoring.calibration import Calibration

BATCH, RATE = 64, 3e-4  # as `cryofed train`: the release is good already


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Release, library and the new folder."""
    parser.add_argument("release", type=Path, help="folder of the federation's release")
    parser.add_argument("--library", type=Path, required=True, help="this site's library")
    parser.add_argument(
        "--model",
        dest="origin",
        type=Path,
        help="release that the federation began with, its folder or model.onnx (default: the one shipped)",
    )
    add_trust(parser)
    parser.add_argument(
        "--own-model", action="store_true", help="the release is your own: ask for no signature"
    )
    parser.add_argument("--out", type=Path, default=Path("personal"), help="new folder (default: personal)")
    parser.add_argument("--epochs", type=count, default=8, help="times that each average is seen (8)")
    parser.add_argument(
        "--device",
        default="auto",
        help="cpu, cuda or mps (default: auto, the graphics card that PyTorch sees, else the CPU)",
    )
    parser.add_argument("--seed", type=natural, default=1, help="the same seed gives the same model on a CPU")
    add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Train the candidates, choose by one half of the held-out jobs, report on the other, write the model."""
    try:
        from cryofed.learning.device import device_of
        from cryofed.learning.export import read_vector, write_model
        from cryofed.learning.personalize import personalize, two_halves
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "train") from None
    from cryofed.learning.vector import vector_hash
    from cryofed.library.store import Library
    from cryofed.scoring.scorer import SHIPPED, open_model

    if not options.own_model:
        checked_release(options.release, options)
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise OutputError(options.out, "folder", "not empty", "name a new folder with --out")
    device_of(options.device)  # what is wrong is said before the library is read
    with Library(options.library) as library:
        fit = library.labelled(held_out=False)
        chooses, tells = two_halves(library.labelled(held_out=True))
    common = read_vector(options.release / "weights.safetensors")
    origin = read_vector(model_weights(options.origin or SHIPPED))
    calibration = open_model(options.release / "model.onnx", "cpu").calibration
    models = _candidates(common, origin, fit, options)
    personal = personalize(models, chooses, calibration)
    worth = _worth(common, calibration, personal, tells)
    if not options.json:
        for kind, value in personal.auc.items():
            chosen = ", chosen" if kind == personal.kind else ""
            print(f"{kind:15}AUC {value:.4f} on {len(chooses)} held-out averages that choose{chosen}")
        print(worth)
    card = {
        "made by": "cryofed site personalize",
        "kind": personal.kind,
        "release_vector_sha256": vector_hash(common),
        "stays": "at the site",
    }
    write_model(options.out, personal.vector, personal.calibration, card)
    model = options.out / "model.onnx"
    if options.json:
        told = {"kind": personal.kind, "auc": dict(personal.auc), "chosen_on": len(chooses)}
        print_json(told | {"worth": worth, "model": model})
        return
    print(f"written to {options.out}; use it with: cryofed select JOB --model {model} --own-model")


def _candidates(
    common: Vector, origin: Vector, fit: Labelled, options: argparse.Namespace
) -> dict[str, Vector]:
    from rich.console import Console
    from rich.progress import Progress

    from cryofed.learning.learner import TrainingSettings, train
    from cryofed.learning.personalize import candidates

    steps = max(1, round(options.epochs * len(fit) / BATCH))
    whole = TrainingSettings(steps=steps, batch=BATCH, learning_rate=RATE, one_cycle=True)
    head = replace(whole, steps=max(1, steps // 4))
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("the site's own model", total=steps)
        own = train(
            origin,
            fit,
            whole,
            options.seed,
            device=options.device,
            progress=lambda step, _: bar.update(task, completed=step),
        ).vector
        bar.update(task, description="the site's own head")
        return candidates(common, own, fit, head, options.seed, device=options.device)


def _worth(common: Vector, calibration: Calibration, personal: Personal, tells: Labelled) -> str:
    """What the choice is worth, on averages that had no part in it."""
    from cryofed.learning.calibrate import judged_scores
    from cryofed.learning.metrics import auc, brier

    if not 0 < tells.good.sum() < len(tells):
        return "no held-out job is left to say what that is worth: harvest more projects"
    before = judged_scores(common, tells, calibration)
    after = judged_scores(personal.vector, tells, personal.calibration)
    return (
        f"on {len(tells)} other held-out averages: AUC {auc(before, tells.good):.4f} with the release, "
        f"{auc(after, tells.good):.4f} personal; Brier {brier(before, tells.good):.4f}, "
        f"{brier(after, tells.good):.4f}"
    )
