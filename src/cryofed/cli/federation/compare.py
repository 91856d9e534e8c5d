"""Run plans side by side over seeds on libraries of this machine, beside pooled data and each site alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cryofed.cli.as_json import add_json, print_json
from cryofed.cli.federation.first_model import add_first_model, first_weights
from cryofed.cli.numbers import count, share
from cryofed.errors import InputError, MissingPackageError

if TYPE_CHECKING:
    from cryofed.federation.agreement.plan import Plan
    from cryofed.federation.telling.comparison import Row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Plans, or one plan and several strategies."""
    parser.add_argument(
        "plans", type=Path, nargs="+", metavar="PLAN", help="PLAN.toml; all of the same sites"
    )
    parser.add_argument(
        "--strategies", metavar="NAMES", help="run each plan with each of these (comma-separated; or: all)"
    )
    parser.add_argument("--seeds", type=count, default=3, help="runs of each (default: %(default)s)")
    add_first_model(parser)
    parser.add_argument(
        "--margin", type=share, default=0.01, help="target is pooled AUC minus this (%(default)s)"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Compare, then print one table."""
    if find_spec("torch") is None:
        raise MissingPackageError("torch", "train")
    from rich.console import Console
    from rich.progress import Progress

    from cryofed.federation.agreement.plan_file import read_plan
    from cryofed.federation.releases.first import check_start, first_model
    from cryofed.federation.telling.comparison import compare, libraries_of, table

    named: dict[str, Plan] = {}
    for path in options.plans:
        plan = read_plan(path)
        _check(plan, path)
        check_start(plan, path, untrained=options.from_scratch)
        for name, variant in _variants(plan, options.strategies):
            label = name if len(options.plans) == 1 else f"{path.stem} {name}"
            if label in named:
                raise InputError(path, "plan", f"{label} twice", "give each plan file its own name")
            named[label] = variant
    sites = libraries_of(options.plans)
    start = first_model(first_weights(options), untrained=options.from_scratch).vector
    total = options.seeds * (len(named) + 2)
    with (
        TemporaryDirectory(prefix="cryofed-compare-") as scratch,
        Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress,
    ):
        bar = progress.add_task("runs", total=total)
        rows: Sequence[Row] = compare(
            named,
            sites,
            list(range(1, options.seeds + 1)),
            Path(scratch),
            start=start,
            margin=options.margin,
            done=lambda name: progress.update(bar, advance=1, description=name),
        )
    if options.json:
        print_json([row.record() for row in rows])
    else:
        print(table(rows, options.seeds))


def _variants(plan: Plan, strategies: str | None) -> list[tuple[str, Plan]]:
    from cryofed.federation.agreement.plan import StrategyChoice
    from cryofed.federation.strategies.registry import STRATEGIES, make_strategy

    if not strategies:
        return [(plan.strategy.name, plan)]
    names = (
        list(STRATEGIES) if strategies == "all" else [n.strip() for n in strategies.split(",") if n.strip()]
    )
    for name in names:
        make_strategy(name, {}, "--strategies")
    return [(name, replace(plan, strategy=StrategyChoice(name=name))) for name in names]


def _check(plan: Plan, path: Path) -> None:
    if not plan.sites:
        raise InputError(path, "sites", "none", "enroll at least one with a [[sites]] table")
