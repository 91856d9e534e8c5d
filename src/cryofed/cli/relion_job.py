"""`cryofed relion-job --o External/job012/ --in_parts …`: an External job of RELION's own pipeline."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from cryofed.cli.model import add_model, checked_model
from cryofed.cli.numbers import count
from cryofed.cli.policy_options import add_policy, policy_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What RELION passes: the folder, the input, and the labels and values that were typed in its window."""
    parser.add_argument("--o", dest="outname", required=True, help="the job's folder, from the project's")
    parser.add_argument("--in_parts", type=Path, help="run_itNNN_data.star of a finished 2D classification")
    parser.add_argument("--optimiser", type=Path, help="or its run_itNNN_optimiser.star")
    parser.add_argument("--j", type=count, default=1, help="threads; RELION passes it, nothing needs it")
    add_policy(parser, dashes=False)
    parser.add_argument(
        "--keep_views", type=_yes, default=False, help="Yes keeps the best class of every view"
    )
    add_model(parser)
    parser.add_argument("--own_model", type=_yes, default=False, help="Yes: as --own-model")
    _fail_on_wrong_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Select, and leave the files by which RELION knows how it went."""
    options.model = checked_model(options)
    from cryofed.selection.external import AbortError, follow

    folder = Path(options.outname)
    try:
        follow(folder, lambda: _select(folder, options))
    except AbortError as abort:
        print(abort, file=sys.stderr)
        return 1
    return 0


def _select(folder: Path, options: argparse.Namespace) -> None:
    from cryofed.errors import InputError
    from cryofed.jobs.opening import open_job
    from cryofed.scoring.scorer import score_job
    from cryofed.selection.external import NODES, check_abort, write_output_nodes
    from cryofed.selection.making import Making, model_used
    from cryofed.selection.policy import asks_a_person, decide
    from cryofed.selection.relion import FILES
    from cryofed.selection.table import summary
    from cryofed.selection.writer import REPORT, write_refusal, write_selection

    policy = policy_of(options, keep_views=options.keep_views)
    given = options.optimiser or options.in_parts
    if given is None:
        found = "give the run_itNNN_data.star of a 2D classification as input particles"
        raise InputError("External job", "input", "none", found)
    job = open_job(given)
    if job.program != "relion":
        raise InputError(given, "--in_parts", job.program, "give a data.star of RELION")
    for note in job.notes:
        print(f"note: {note}", file=sys.stderr)
    selection = decide(job, score_job(job, options.model, policy.min_particles), policy)
    check_abort(folder)
    print(summary(job, selection))
    refused = asks_a_person(job, selection, policy.max_loss)
    making = Making(model=model_used(options.model), refused=refused)
    if refused:
        report = write_refusal(job, selection, folder, making)
        remedy = f"look at {report} or at cryofed review, or give max_loss or max_doubt a larger value"
        raise InputError(given, "selection", refused, remedy)
    for name in (*FILES, REPORT, NODES):  # RELION runs a job again in the same folder
        (folder / name).unlink(missing_ok=True)
    write_selection(job, selection, folder, making=making)
    write_output_nodes(folder, options.outname)


def _fail_on_wrong_arguments(parser: argparse.ArgumentParser) -> None:
    """A label mistyped in RELION's window ends the job as failed; RELION would wait for it for ever."""
    parse = parser.parse_known_args

    def strict(args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        try:
            options, unknown = parse(args, namespace)
            if unknown:
                parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        except SystemExit as stop:
            if stop.code and "--o" in args[:-1]:
                from cryofed.selection.external import FAILURE

                folder = Path(args[args.index("--o") + 1])
                if folder.is_dir():
                    (folder / FAILURE).touch()
            raise
        return options, unknown

    parser.parse_known_args = strict  # type: ignore[method-assign]  # argparse has no switch for it


def _yes(text: str) -> bool:
    answers = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if text.lower() not in answers:
        raise argparse.ArgumentTypeError(f"{text}: say Yes or No")
    return answers[text.lower()]
