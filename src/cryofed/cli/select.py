"""`cryofed select JOB`: score every class, keep the good ones, write what the program continues from."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.cli.model import add_model, checked_model
from cryofed.cli.policy_options import add_policy, add_sizes, opened, policy_of, review_command
from cryofed.errors import InputError

# One average is too small a product to share among threads; on a busy machine they only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if TYPE_CHECKING:
    from cryofed.jobs.job import ClassJob
    from cryofed.scoring.scorer import Scores
    from cryofed.selection.policy import Policy, Selection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a user may type."""
    parser.add_argument(
        "job", type=Path, help="job folder of RELION or CryoSPARC, one of its files, or a stack"
    )
    parser.add_argument("--out", type=Path, help="folder to write (default: a new one beside the job)")
    parser.add_argument("--json", action="store_true", help="print the table as JSON and nothing else")
    parser.add_argument("--keep-views", action="store_true", help="keep the best class of every view")
    add_policy(parser)
    parser.add_argument("--force", action="store_true", help="write the selection whatever it loses")
    add_sizes(parser)
    add_model(parser)
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where it scores (default: auto, CUDA where ONNX Runtime has it, else the CPU)",
    )
    parser.add_argument(
        "--learn-from",
        type=Path,
        metavar="SELECTION",
        help="a person's selection of an earlier job of the same sample: a Select job, a saved review, a TSV",
    )


def run(options: argparse.Namespace) -> int:
    """Open, check the place, score, decide, write, tell."""
    options.model = checked_model(options)
    from threading import Thread

    from cryofed.cli.progress import steps
    from cryofed.scoring.scorer import load_ahead
    from cryofed.selection.making import Making, model_used
    from cryofed.selection.policy import decide, too_much_lost
    from cryofed.selection.writer import (
        check_folder,
        default_folder,
        free_folder,
        refused_folder,
        write_refusal,
        write_selection,
    )

    # no daemon: ONNX Runtime aborts an exit amid it
    Thread(target=load_ahead, args=(options.model, options.device)).start()
    with steps(4) as shown:
        shown.now("reading the job")
        job = opened(options)
        out = options.out or free_folder(default_folder(job))
        check_folder(job, out)
        shown.now(f"scoring {len(job.classes)} classes")
        scores, policy, learnt = _scores(job, options)
        shown.now("grouping classes that look alike")
        selection = decide(job, scores, policy)
        refused = "" if options.force or selection.note else too_much_lost(job, selection, options.max_loss)
        making = Making(
            model=model_used(options.model, learnt), review=review_command(options), refused=refused
        )
        shown.now("writing the files")
        if refused:
            files, report = [], write_refusal(job, selection, refused_folder(out), making)
        else:
            files = write_selection(job, selection, out, making=making)
    if options.json:
        import json

        from cryofed.selection.table import as_json

        record = as_json(job, selection, making=making, folder=None if refused else out)
        print(json.dumps(record, allow_nan=False))
    else:
        _print_table(job, selection)
    notes = filter(None, (*job.notes, selection.doubt))
    for note in filter(None, [learnt, *(f"note: {note}" for note in notes)]):
        print(note, file=sys.stderr)
    if refused:
        remedy = (
            f"look at the classes in {report}, then repeat with --force, --policy, --threshold or --max-loss"
        )
        raise InputError(options.job, "selection", refused, remedy)
    _tell(job, selection, out, len(files), options)
    return 0


def _scores(job: ClassJob, options: argparse.Namespace) -> tuple[Scores, Policy, str]:
    """Scores and the policy for them; with `--learn-from` after what a person's selection teaches."""
    from cryofed.scoring.scorer import score_job

    policy = policy_of(options, keep_views=options.keep_views)
    scores = score_job(job, options.model, policy.min_particles, options.device)
    if options.learn_from is None:
        return scores, policy, ""
    from cryofed.library.lessons import read_selection, scores_learnt

    said = read_selection(options.learn_from)
    scores, learnt = scores_learnt(job, scores, said, options.model, policy)
    return scores, policy, learnt


def _tell(job: ClassJob, selection: Selection, out: Path, files: int, options: argparse.Namespace) -> None:
    """What a person should know at the end, on standard error."""
    from cryofed.selection.policy import loss

    if selection.note:
        print(f"note: {selection.note}; --threshold sets a cut of your own", file=sys.stderr)
    elif loss(job, selection) > options.max_loss:
        print(f"warning: more than {100 * options.max_loss:.0f} % is thrown away (--force)", file=sys.stderr)
    if not options.json:
        here = out.relative_to(Path.cwd()) if out.is_relative_to(Path.cwd()) else out
        print(f"read {job.read} of {job.name}", file=sys.stderr)
        print(f"wrote {files} files to {here}; open {here / 'report.html'}", file=sys.stderr)


def _print_table(job: ClassJob, selection: Selection) -> None:
    """Every class, best first, and the summary; plain, for rich takes a fifth of a second for 200 rows."""
    from cryofed.selection.table import class_rows, summary

    lines = [("class", "particles", "resolution", "score", "kept", "reason")]
    rows = sorted(class_rows(job, selection), key=lambda row: (row.score is None, -(row.score or 0)))
    for row in rows:
        unsure = "?" if row.unsure else ""
        lines.append(
            (
                str(row.class_number),
                f"{row.particles:,}" if row.particles is not None else "–",
                f"{row.resolution_angstrom:.1f} Å" if row.resolution_angstrom is not None else "–",
                f"{row.score:.2f}{unsure}" if row.score is not None else "–",
                "yes" if row.kept else "no",
                row.reason or "",
            )
        )
    width = [max(map(len, column)) for column in zip(*lines, strict=True)]
    green, plain = (
        ("\033[32m", "\033[0m") if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("", "")
    )
    for line, kept in zip(lines, [False, *(row.kept for row in rows)], strict=True):
        *numbers, reason = line
        text = "  ".join(f"{word:>{size}}" for word, size in zip(numbers, width, strict=False))
        print(f"{green if kept else ''}{text}  {reason}{plain if kept else ''}".rstrip())
    print(summary(job, selection))
