"""`cryofed simulate`: class averages, jobs and whole sites with known truth."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from cryofed.cli.numbers import count, natural, share


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `cryofed simulate`."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    sites = kinds.add_parser("sites", help="sites with finished, labelled 2D classifications")
    sites.add_argument("--sites", type=count, default=3, help="number of sites (default 3)")
    sites.add_argument("--jobs", type=count, default=6, help="2D classifications of each site (default 6)")
    sites.add_argument(
        "--jobs-per-project", type=count, default=2, help="classifications of one molecule (default 2)"
    )
    sites.add_argument("--cryosparc", type=natural, default=0, help="how many of the sites use CryoSPARC")
    _shared(sites)
    corpus = kinds.add_parser("corpus", help="labelled averages for training, in .npz shards")
    corpus.add_argument("--jobs", type=count, default=1800, help="jobs of about 35 averages (default 1800)")
    corpus.add_argument(
        "--structures", type=Path, help="folder of PDB, mmCIF or MRC files for half of the molecules"
    )
    _shared(corpus)
    jobs = kinds.add_parser("jobs", help="2D classifications as RELION makes them of simulated particles")
    jobs.add_argument("--jobs", type=count, default=1, help="number of classifications (default 1)")
    jobs.add_argument(
        "--classifier", choices=["relion"], default="relion", help="the program that classifies"
    )
    jobs.add_argument("--particles", type=count, default=800, help="particles of each (default 800)")
    jobs.add_argument("--classes", type=count, default=16, help="classes of each (default 16)")
    jobs.add_argument("--iterations", type=count, default=20, help="iterations of each (default 20)")
    jobs.add_argument(
        "--junk-share", type=share, help="share of the particles that are junk, 0 to 1 (default: drawn)"
    )
    jobs.add_argument("--structures", type=Path, help="folder of PDB, mmCIF or MRC files for the molecules")
    _shared(jobs)


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="new folder")
    parser.add_argument(
        "--seed", type=natural, default=0, help="the same seed gives the same files (default 0)"
    )
    parser.add_argument(
        "--workers", type=count, default=os.cpu_count() or 1, help="processes (default: one a core)"
    )


def run(options: argparse.Namespace) -> None:
    """Make what was asked for, with a progress bar on standard error."""
    {"sites": _sites, "corpus": _corpus, "jobs": _jobs}[options.kind](options)


def _corpus(options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from cryofed.errors import OutputError
    from cryofed.learning.corpus import make_shards
    from cryofed.simulation.molecules.structures import structure_files

    if options.structures:
        structure_files(options.structures)  # says at once what is wrong with the folder
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = error.strerror or "cannot be made"
        raise OutputError(options.out, "folder", found, "name a folder that can be written") from None
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Simulating jobs", total=options.jobs)
        shards = make_shards(
            options.out, options.jobs, options.seed, options.workers, structures=options.structures
        )
        for done in shards:
            progress.update(task, completed=done)
    print(options.out)


def _jobs(options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.progress import track

    from cryofed.simulation.classify import Run, classify

    console = Console(stderr=True)
    for number in track(
        range(options.jobs), "Classifying", console=console, transient=True, disable=not console.is_terminal
    ):
        run = Run(
            particles=options.particles,
            classes=options.classes,
            iterations=options.iterations,
            junk_share=options.junk_share,
        )
        print(
            classify(
                options.out,
                number + 1,
                options.seed,
                run,
                workers=options.workers,
                structures=options.structures,
            )
        )


def _sites(options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.progress import track

    from cryofed.simulation.sites import write_sites

    console = Console(stderr=True)
    projects = options.sites * -(-options.jobs // options.jobs_per_project)
    steps = iter(
        track(
            range(projects),
            "Simulating projects",
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
    )
    next(steps, None)
    folders = write_sites(
        options.out,
        options.sites,
        options.jobs,
        options.seed,
        jobs_per_project=options.jobs_per_project,
        cryosparc=options.cryosparc,
        workers=options.workers,
        progress=lambda: next(steps, None),
    )
    for folder in folders:
        print(folder)
