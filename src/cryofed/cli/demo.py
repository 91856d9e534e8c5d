"""`cryofed demo`: the whole story on this machine, with a report at the end."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryofed.cli.as_json import add_json, print_json
from cryofed.cli.numbers import natural
from cryofed.errors import OutputError

MARK = "made-by-cryofed-demo"  # written first and removed last: a killed demo's folder can be replaced, too


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `demo`."""
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder to make (default: demo)")
    parser.add_argument(
        "--engine",
        default="embedded",
        help="embedded: in this process; flare, flower, openfl: a federation of real processes on localhost",
    )
    parser.add_argument("--seed", type=natural, default=1, help="of the labs and of training (default: 1)")
    add_json(parser)
    parser.add_argument("--force", action="store_true", help="replace the demo that is there")


def run(options: argparse.Namespace) -> None:
    """Run the demo and write its report."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from cryofed.federation.agreement.engines import load_engine

    load_engine(options.engine, "--engine")
    out: Path = options.out
    _make_room(out, options.force)

    from cryofed.demo.report import print_story, story_facts, write_report
    from cryofed.demo.story import Settings, tell_story

    settings = Settings(engine=options.engine, seed=options.seed)
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("[progress.percentage]{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=1.0)

        def tell(step: str, share: float) -> None:
            progress.update(task, description=step, completed=share)
            if step.startswith("round ") or not console.is_terminal:  # a log has a line a step
                progress.console.print(f"  {step}", highlight=False)

        story = tell_story(out, settings, tell)
        tell("the federated model selects an unseen job", 0.97)
        write_report(out, story)
        tell("done", 1.0)
    if options.json:
        print_json(story_facts(story) | {"report": out / "report.html"})
        return
    print_story(story, out)


def _make_room(out: Path, force: bool) -> None:
    """An empty folder but for the mark; what is no demo's is left alone."""
    import shutil

    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        if not force:
            remedy = "name another folder, or replace a demo with --force"
            raise OutputError(out, "out", "it exists already", remedy)
        if not (out / MARK).is_file():
            found = "it exists already, and is no folder of `cryofed demo`"
            raise OutputError(out, "out", found, "name another folder, or remove this one")
        _end_left(out.resolve() / "federation")
        for entry in out.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != MARK:
                entry.unlink()
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()


def _end_left(home: Path) -> None:
    """End what a killed demo has left running: an engine's processes outlive the command."""
    kits = [*home.glob("*/aggregator"), *home.glob("sites/*/kit")]
    if kits:
        from cryofed.federation.engines.remote.processes import stop

        stop(kits)
