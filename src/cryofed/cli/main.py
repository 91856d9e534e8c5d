"""The one entry: finds the command, imports only its file, turns errors into an exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Container, Sequence
from importlib import import_module

from cryofed import __version__
from cryofed.cli.examples import STATUS, epilog
from cryofed.errors import CryoFedError, of_place

# name: what it does. Its file is cryofed/cli/<name>.py, with `add_arguments(parser)` and `run(options)`.
COMMANDS = {
    "select": "select the good classes of a finished 2D classification",
    "review": "look at the classes in the browser, correct and save",
    "watch": "select each 2D classification of a project as it finishes",
    "relion-job": "select as an External job of RELION's own pipeline",
    "cryosparc": "select in a running CryoSPARC, by a Select 2D job of its own",
    "simulate": "make class averages, jobs or whole sites with known truth",
    "harvest": "read past selections out of RELION and CryoSPARC projects into a library",
    "learnt": "what was learnt from selections at this site: list, remove",
    "library": "look after a library: info, verify, merge, export",
    "train": "fine-tune the model on a library's own labels, at home",
    "federation": "found, run and watch a federation",
    "site": "take part in a federation: join, start, stop, personalize",
    "trust": "look at evidence of what runs where",
    "doctor": "say whether this machine is ready: packages, device, disk, clock, library, certificates",
    "demo": "three sites train one model together, on this machine",
    "completion": "a script with which the Tab key of your shell completes all this",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 1 bad input, 2 bad command line."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = parser_for(arguments).parse_args(arguments)
    try:
        return options.run(options) or 0
    except CryoFedError as error:  # anything else is our bug and keeps its traceback
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        message = of_place(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        return 1


def parser_for(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser that these words need: only the file of the command that they name is imported."""
    return make_parser({next((word for word in arguments if word in COMMANDS), "")})


def make_parser(whole: Container[str]) -> argparse.ArgumentParser:
    """The parser of all commands; only those in `whole` are imported and have their own options."""
    parser = argparse.ArgumentParser(
        prog="cryofed",
        description=sys.modules["cryofed"].__doc__ or "",
        epilog=STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cryofed {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command, purpose in COMMANDS.items():
        child = commands.add_parser(
            command,
            help=purpose,
            description=purpose,
            epilog=epilog(command),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if command in whole:
            module = import_module(_module(command))
            module.add_arguments(child)
            child.set_defaults(run=module.run)
    return parser


def _module(command: str) -> str:
    return f"cryofed.cli.{command.replace('-', '_')}"
