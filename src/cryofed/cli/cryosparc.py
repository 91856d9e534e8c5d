"""`cryofed cryosparc P3 J42`: select in a running CryoSPARC, by a Select 2D job of its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

from cryofed.cli.as_json import add_json, print_json
from cryofed.cli.model import add_model, checked_model
from cryofed.cli.numbers import port
from cryofed.cli.policy_options import add_policy, policy_of
from cryofed.cli.progress import one_step

T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command; password and license come from CryoSPARC's own environment variables."""
    parser.add_argument("project", help="project, as P3")
    parser.add_argument("job", help="finished 2D Classification, as J42")
    parser.add_argument(
        "--workspace", help="where the Select 2D job goes (default: that of the classification)"
    )
    parser.add_argument("--lane", help="lane to queue to (default: the master)")
    parser.add_argument("--host", help="machine of the CryoSPARC master (default: CRYOSPARC_MASTER_HOSTNAME)")
    parser.add_argument("--base-port", type=port, help="its base port (default: CRYOSPARC_BASE_PORT)")
    parser.add_argument("--email", help="account (default: CRYOSPARC_EMAIL)")
    add_policy(parser)
    parser.add_argument("--keep-views", action="store_true", help="keep the best class of every view")
    parser.add_argument("--force", action="store_true", help="select whatever is lost")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be selected, create nothing")
    add_json(parser)
    add_model(parser)


def run(options: argparse.Namespace) -> None:
    """Score the classification's files, then have CryoSPARC select."""
    options.model = checked_model(options)
    from cryofed.errors import InputError
    from cryofed.jobs.opening import open_job
    from cryofed.scoring.scorer import score_job
    from cryofed.selection.cryosparc_live import folder, select, workspace
    from cryofed.selection.policy import asks_a_person, decide
    from cryofed.selection.table import as_json, summary

    server = _connect(options)
    remote = _asked(lambda: server.find_job(options.project, options.job), options)
    place = folder(remote)
    if not place.is_dir():
        remedy = "run this on a machine that sees CryoSPARC's project folders"
        raise InputError(place, "job folder", "not seen from this machine", remedy)
    policy = policy_of(options, keep_views=options.keep_views)
    with one_step(f"reading and scoring {options.job}"):
        job = open_job(place)
        selection = decide(job, score_job(job, options.model, policy.min_particles), policy)
    if not options.json:
        print(summary(job, selection))
    refused = selection.note if options.force else asks_a_person(job, selection, policy.max_loss)
    if refused:
        ways = "--force, --policy, --threshold, --max-loss, --max-doubt"
        remedy = f"look at the classes: cryofed review {place}; or give {ways}"
        raise InputError(options.job, "selection", refused, remedy)
    if options.dry_run:
        if options.json:
            print_json({**as_json(job, selection), "select_2d": None})
        else:
            print("nothing was made (--dry-run)")
        return

    def ordered() -> str:
        project = server.find_project(options.project)
        where = options.workspace or workspace(remote)
        return select(project, where, options.job, job=job, selection=selection, lane=options.lane)

    with one_step("waiting for CryoSPARC's Select 2D job"):
        uid = _asked(ordered, options)
    if options.json:
        print_json({**as_json(job, selection), "select_2d": uid})
        return
    print(f"{options.project} {uid}: finished; continue with its particles_selected")


def _connect(options: argparse.Namespace) -> Any:
    from cryofed.errors import InputError, MissingPackageError

    try:
        from cryosparc.tools import CryoSPARC
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "cryosparc":
            raise
        raise MissingPackageError("cryosparc-tools", "cryosparc") from None
    names = ("host", "base_port", "email")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    try:
        return CryoSPARC(**given)
    except (AssertionError, RuntimeError, TypeError, ValueError, OSError) as error:
        # Version 4 asserts; version 5 raises TypeError, ValueError and RuntimeError for the same mistakes.
        remedy = "set CRYOSPARC_MASTER_HOSTNAME, _BASE_PORT, _EMAIL, _PASSWORD (version 4 also _LICENSE_ID)"
        raise InputError("CryoSPARC", "connection", _first_line(error), remedy) from None


def _asked(ask: Callable[[], T], options: argparse.Namespace) -> T:
    from cryofed.errors import CryoFedError, InputError

    try:
        return ask()
    except CryoFedError:
        raise
    except Exception as error:  # CommandError in version 4, APIError in version 5, and httpx's own below it
        remedy = "correct the project and the job, or look at the job's log in CryoSPARC"
        place = f"{options.project} {options.job}"
        raise InputError(place, "answer of CryoSPARC", _first_line(error), remedy) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
