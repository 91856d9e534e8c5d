"""`cryofed train --library FILE`: fine-tune the release on the site's own labels; nothing leaves the site."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.cli.numbers import count, natural
from cryofed.scoring.named import model_folder

if TYPE_CHECKING:
    from rich.console import Console

    from cryofed.learning.local import LocalModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--library", type=Path, required=True, help="the site's library")
    parser.add_argument(
        "--model", type=Path, help="model to start from, its folder or model.onnx (default: the one shipped)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("model"), help="new folder for the better model (default: model)"
    )
    parser.add_argument("--epochs", type=count, default=8, help="times that each average is seen (8)")
    parser.add_argument(
        "--device",
        default="auto",
        help="cpu, cuda or mps (default: auto, the graphics card that PyTorch sees, else the CPU)",
    )
    parser.add_argument("--seed", type=natural, default=1, help="the same seed gives the same model on a CPU")
    parser.add_argument("--json", action="store_true", help="print what came of it as JSON and nothing else")


def run(options: argparse.Namespace) -> None:
    """Train, compare on the held-out projects, and write a model only when it is better."""
    from rich.console import Console
    from rich.progress import Progress

    from cryofed.errors import MissingPackageError

    try:
        from cryofed.learning.at_home import train_at_home
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "torch", "train") from None

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=None)
        tried, names = train_at_home(
            options.library,
            options.out,
            release=model_folder(options.model) if options.model else None,
            seed=options.seed,
            epochs=options.epochs,
            device=options.device,
            progress=lambda step, steps: bar.update(task, completed=step, total=steps),
        )
    if options.json:
        _print_json(tried, options.out)
        return
    _show(console, tried, names)
    print(_summary(tried))
    if tried.better:
        print(f"written to {options.out}; use it with: {use(options.out)}")
    else:
        print("the old model is kept: the new one is not better on the held-out projects")


def use(folder: Path) -> str:
    """The command that selects with a model trained here; nobody has signed it."""
    return f"cryofed select JOB --model {shlex.quote(str(folder))} --own-model"


def _print_json(tried: LocalModel, out: Path) -> None:
    import json

    from cryofed.learning.at_home import facts

    print(
        json.dumps({**facts(tried), "better": tried.better, "written_to": str(out) if tried.better else None})
    )


def _summary(tried: LocalModel) -> str:
    from cryofed.learning.at_home import facts

    of = facts(tried)
    return (
        f"{of['examples']} averages trained on, {100 * of['share']:.0f} % of the change is kept;"
        f" on the {of['held_out_examples']} averages of held-out projects"
        f" AUC {of['auc_before']:.4f} before, {of['auc_after']:.4f} after;"
        f" Brier {of['brier_before']:.4f} before, {of['brier_after']:.4f} after"
    )


def _show(console: Console, tried: LocalModel, names: list[str]) -> None:
    from rich.table import Column, Table

    table = Table(Column("held-out project", overflow="fold"), title="Before and after")
    for heading in ("averages", "AUC before", "after", "Brier before", "after"):
        table.add_column(heading, justify="right")
    for name, old, new in zip(names, tried.before, tried.after, strict=True):
        figures = (f"{old.auc:.3f}", f"{new.auc:.3f}", f"{old.brier:.3f}", f"{new.brier:.3f}")
        table.add_row(name, str(old.examples), *figures)
    console.print(table)
