"""What a user may type of a job and of the policy, the same on every command that selects."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from cryofed.cli.numbers import natural, positive, share

if TYPE_CHECKING:
    from cryofed.jobs.job import ClassJob
    from cryofed.selection.policy import Policy

NAMES = ("strict", "balanced", "lenient")  # policies.NAMED; written here so that `--help` imports nothing


def add_policy(parser: argparse.ArgumentParser, *, dashes: bool = True) -> None:
    """`--policy`, `--threshold`, `--max-loss` and so on; with `dashes` False as `--max_loss`."""

    def name(words: str) -> str:
        return "--" + (words if dashes else words.replace("-", "_"))

    parser.add_argument(
        "--policy",
        choices=NAMES,
        default="balanced",
        help="strict: clean, some good classes lost; balanced (default); lenient: all that could be good",
    )
    parser.add_argument(
        "--threshold",
        type=share,
        help="the score from which classes are kept, from 0 to 1 (default: what the policy says)",
    )
    parser.add_argument(
        name("max-loss"),
        type=share,
        default=0.6,
        help="largest share of the particles that may go unasked (default: 0.6)",
    )
    parser.add_argument(
        name("max-doubt"),
        type=share,
        default=0.15,
        help="how far the share of good classes may be uncertain unasked (default: 0.15; 0.5: never ask)",
    )
    parser.add_argument(
        name("min-particles"), type=natural, help="classes with fewer are not scored (default: 10)"
    )


def policy_of(options: argparse.Namespace, *, keep_views: bool = False) -> Policy:
    """The policy that was typed; a threshold that was typed is meant as it is."""
    from cryofed.selection.policies import named

    policy = replace(
        named(options.policy),
        max_loss=options.max_loss,
        max_doubt=options.max_doubt,
        keep_views=keep_views,
    )
    if options.threshold is not None:
        policy = replace(policy, name="threshold as typed", threshold=options.threshold)
    if options.min_particles is not None:
        policy = replace(policy, min_particles=options.min_particles)
    return policy


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """`--mask-diameter` and `--pixel-size`."""
    for name in ("--mask-diameter", "--pixel-size"):
        parser.add_argument(name, type=positive, metavar="Å", help="where the job does not tell it")


def opened(options: argparse.Namespace) -> ClassJob:
    """The job that was typed, with the sizes that were typed."""
    from cryofed.jobs.opening import open_job

    job = open_job(options.job)
    return replace(
        job,
        mask_diameter_angstrom=options.mask_diameter or job.mask_diameter_angstrom,
        pixel_size_angstrom=options.pixel_size or job.pixel_size_angstrom,
    )


def review_command(options: argparse.Namespace) -> str:
    """The command that begins a review with the same selection, wherever it is typed."""
    words = ["cryofed", "review", str(options.job.absolute())]
    if options.policy != "balanced":
        words += ["--policy", options.policy]
    for name in ("threshold", "min_particles", "mask_diameter", "pixel_size"):
        value = getattr(options, name, None)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", f"{value:g}"]
    if getattr(options, "keep_views", False):
        words.append("--keep-views")
    if options.model is not None:
        words += ["--model", str(options.model.absolute())]
    return shlex.join(words)
