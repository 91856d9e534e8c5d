"""`cryofed review JOB | --library FILE`: look at classes in the browser, correct, save."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from cryofed.cli.model import add_model, checked_model
from cryofed.cli.numbers import count, port
from cryofed.cli.policy_options import add_policy, add_sizes, opened, policy_of

# What is learnt from a decision is too small a product to share among threads; they only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a user may type."""
    parser.add_argument(
        "job", type=Path, nargs="?", help="job folder of RELION or CryoSPARC, one of its files, or a stack"
    )
    parser.add_argument(
        "--library", type=Path, help="where labels go, when you say so; without JOB, what is reviewed"
    )
    add_policy(parser)
    parser.add_argument("--keep-views", action="store_true", help="keep the best class of every view")
    add_sizes(parser)
    parser.add_argument("--out", type=Path, help="folder to save into (default: a new one beside the job)")
    add_model(parser)
    parser.add_argument(
        "--earlier",
        type=Path,
        metavar="SELECTION",
        help="an earlier selection of this job to load: a Select job, a saved review, a TSV",
    )
    parser.add_argument("--limit", type=count, default=500, help="classes of a library to show (500)")
    parser.add_argument("--port", type=port, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, start no browser")


def run(options: argparse.Namespace) -> int:
    """Score, then serve until Ctrl-C."""
    options.model = checked_model(options)
    from rich.console import Console

    from cryofed import web
    from cryofed.errors import CryoFedError

    web.require()
    if options.job is None and options.library is None:
        raise CryoFedError("nothing to review: give a job, or --library with a site's library")
    from cryofed.web.review.of_job import open_review
    from cryofed.web.review.of_library import open_library_review
    from cryofed.web.review.routes import review_app
    from cryofed.web.server import serve

    with Console(stderr=True).status("opening") as status:
        say = status.update
        if options.job is not None:
            gallery, saving = open_review(
                opened(options),
                policy=policy_of(options, keep_views=options.keep_views),
                out=options.out,
                library=options.library,
                model=options.model,
                say=say,
                earlier=options.earlier,
            )
        else:
            gallery, saving = open_library_review(
                options.library, limit=options.limit, model=options.model, say=say
            )
        say("drawing thumbnails")
        app = review_app(gallery, saving)
    serve(app, port=options.port, browser=not options.no_browser)
    return 0
