"""`cryofed watch PROJECT`: select each 2D classification as it finishes, for weeks."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from cryofed.cli.as_json import add_json, print_json
from cryofed.cli.model import add_model, checked_model
from cryofed.cli.policy_options import add_policy, policy_of

OUT = "CryoFed"  # in the project: paths stay relative to it, so that RELION can continue from them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a user may type."""
    parser.add_argument("project", type=Path, help="project folder of RELION or CryoSPARC")
    parser.add_argument("--out", type=Path, help=f"folder of the selections (default: PROJECT/{OUT})")
    parser.add_argument("--interval", type=_seconds, default=30.0, help="seconds between looks (default: 30)")
    parser.add_argument(
        "--settle",
        type=_seconds,
        default=10.0,
        help="seconds that a job's files must have been at rest (default: 10)",
    )
    parser.add_argument("--once", action="store_true", help="look once and end, for cron")
    add_json(parser)
    parser.add_argument("--keep-views", action="store_true", help="keep the best class of every view")
    add_policy(parser)
    add_model(parser)
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="cpu",
        help="where it scores (default: cpu, which leaves a graphics card's memory to the other programs)",
    )
    parser.add_argument(
        "--no-learning",
        action="store_true",
        help="score with the model as it came, not after the expert's selection of an earlier job here",
    )


def run(options: argparse.Namespace) -> int:
    """Watch until SIGTERM or Ctrl-C; the selection that has begun is finished first."""
    options.model = checked_model(options)
    import signal

    from cryofed.errors import InputError
    from cryofed.scoring.scorer import SHIPPED, open_model
    from cryofed.watching.finished import is_project
    from cryofed.watching.memory import open_memory
    from cryofed.watching.select_one import Settings
    from cryofed.watching.watch import Watch, say

    project = options.project
    if not is_project(project):
        raise InputError(
            project,
            "project",
            "no project of RELION or CryoSPARC",
            "give the folder that holds Class2D or J12",
        )
    policy = policy_of(options, keep_views=options.keep_views)
    # a wrong model is told now, not when the first job ends
    open_model(options.model or SHIPPED, options.device)
    memory = open_memory(options.out or project / OUT)
    watch = Watch(
        project=project,
        memory=memory,
        settings=Settings(
            policy=policy,
            model=options.model,
            project=project,
            learning=not options.no_learning,
            device=options.device,
        ),
        settle_s=options.settle,
        tell=(lambda record: print_json(asdict(record))) if options.json else None,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: watch.stop.set())
    try:
        if options.once:
            waiting = watch.look()
            say(f"looked once; {waiting} not at rest yet" if waiting else "looked once")
        else:
            say(f"watching {project}; summary in {watch.out / 'index.html'}")
            watch.run(options.interval)
            say("stopped")
    finally:
        memory.close()
    return 0


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 86400:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 86400 seconds")
    return value
