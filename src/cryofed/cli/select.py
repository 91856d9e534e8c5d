"""`cryofed select JOB`: score every class, keep the good ones, write what the program continues from."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

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
    parser.add_argument(
        "--threshold", type=_share, help="a fixed cut from 0 to 1 (default: 0.4, fitted to the job's scores)"
    )
    parser.add_argument(
        "--max-loss",
        type=_share,
        default=0.6,
        help="largest share of the particles that may go without --force (default: 0.6)",
    )
    parser.add_argument("--force", action="store_true", help="write the selection whatever it loses")
    parser.add_argument(
        "--min-particles", type=_count, help="classes with fewer are not scored (default: 10)"
    )
    parser.add_argument("--mask-diameter", type=_positive, metavar="Å", help="where the job does not tell it")
    parser.add_argument("--pixel-size", type=_positive, metavar="Å", help="where the job does not tell it")
    parser.add_argument("--model", type=Path, help="another model.onnx than the one that CryoFed ships")
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
    from dataclasses import replace
    from threading import Thread

    from cryofed.jobs.opening import open_job
    from cryofed.scoring.scorer import load_ahead
    from cryofed.selection.policy import decide, loss
    from cryofed.selection.table import summary
    from cryofed.selection.writer import check_folder, default_folder, free_folder, write_selection

    Thread(
        target=load_ahead, args=(options.model, options.device)
    ).start()  # no daemon: ONNX Runtime aborts an exit amid it
    job = open_job(options.job)
    job = replace(
        job,
        mask_diameter_angstrom=options.mask_diameter or job.mask_diameter_angstrom,
        pixel_size_angstrom=options.pixel_size or job.pixel_size_angstrom,
    )
    out = options.out or free_folder(default_folder(job))
    check_folder(job, out)
    scores, policy, learnt = _scores(job, options)
    selection = decide(job, scores, policy)
    lost = loss(job, selection)
    refused = lost > options.max_loss and not options.force and not selection.note
    model = ", ".join(filter(None, [str(options.model or "shipped"), learnt]))
    files = [] if refused else write_selection(job, selection, out, model=model)
    if not options.json:
        _print_table(job, selection)
    if learnt:
        print(learnt, file=sys.stderr)
    for note in job.notes:
        print(f"note: {note}", file=sys.stderr)
    if refused:
        if not options.json:
            print(summary(job, selection))
        what = "particles" if job.total_particles is not None else "classes"
        raise InputError(
            options.job,
            "selection",
            f"would throw away {100 * lost:.0f} % of the {what}, more than {100 * options.max_loss:.0f} %",
            "nothing was written; look at the classes, then repeat with --force, --threshold or --max-loss",
        )
    _tell(job, selection, out, len(files), options)
    return 0


def _scores(job: ClassJob, options: argparse.Namespace) -> tuple[Scores, Policy, str]:
    """Scores and the policy for them; with `--learn-from` after what a person's selection teaches."""
    from dataclasses import replace

    from cryofed.scoring.scorer import score_job

    policy = _policy(options)
    scores = score_job(job, options.model, policy.min_particles, options.device)
    if options.learn_from is None:
        return scores, policy, ""
    from cryofed.library.lessons import read_selection, scores_learnt

    said = read_selection(options.learn_from)
    scores, cut, learnt = scores_learnt(job, scores, said, options.model, policy)
    return scores, replace(policy, threshold=cut, band=0.0), learnt


def _tell(job: ClassJob, selection: Selection, out: Path, files: int, options: argparse.Namespace) -> None:
    """The end of the run: one line of numbers on standard output, the rest on standard error."""
    from cryofed.selection.policy import loss
    from cryofed.selection.table import as_json, summary

    if options.json:
        import json

        print(json.dumps(as_json(job, selection), allow_nan=False))
    else:
        print(summary(job, selection))
    if selection.note:
        print(f"note: {selection.note}; --threshold sets a cut of your own", file=sys.stderr)
    elif loss(job, selection) > options.max_loss:
        print(f"warning: more than {100 * options.max_loss:.0f} % is thrown away (--force)", file=sys.stderr)
    if not options.json:
        print(f"read {job.read} of {job.name}", file=sys.stderr)
        print(f"wrote {files} files to {out}; open {out / 'report.html'}", file=sys.stderr)


def _policy(options: argparse.Namespace) -> Policy:
    """The policy that was typed; a threshold that was typed is meant as it is."""
    from cryofed.selection.policy import Policy

    typed = {"max_loss": options.max_loss, "keep_views": options.keep_views}
    if options.threshold is not None:
        typed |= {"threshold": options.threshold, "band": 0.0}
    if options.min_particles is not None:
        typed["min_particles"] = options.min_particles
    return Policy(**typed)


def _print_table(job: ClassJob, selection: Selection) -> None:
    """Every class, best first, in plain text: rich takes a fifth of a second for two hundred rows."""
    from cryofed.selection.table import class_rows

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
    green, plain = ("\033[32m", "\033[0m") if sys.stdout.isatty() else ("", "")
    for line, kept in zip(lines, [False, *(row.kept for row in rows)], strict=True):
        *numbers, reason = line
        text = "  ".join(f"{word:>{size}}" for word, size in zip(numbers, width, strict=False))
        print(f"{green if kept else ''}{text}  {reason}{plain if kept else ''}".rstrip())


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to 1")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value
