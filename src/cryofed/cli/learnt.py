"""`cryofed learnt [list | remove KEY]`: what was learnt from selections at this site."""

from __future__ import annotations

import argparse
import json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a user may type."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON and nothing else")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    shown = verbs.add_parser("list", help="what was learnt, and from which selections (the default)")
    # Without a default of its own it would undo the `--json` that was typed before the verb.
    shown.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="the same as JSON")
    remove = verbs.add_parser("remove", help="forget one lesson")
    remove.add_argument("key", help="the beginning of its key, as the list shows it")


def run(options: argparse.Namespace) -> int:
    """List, or forget."""
    from cryofed.library.lessons import forget, lessons, lessons_folder

    if options.verb == "remove":
        print(f"forgotten: {forget(options.key).words}")
        return 0
    kept = lessons()
    if options.json:
        fields = ("key", "learnt_at", "source", "job")
        print(json.dumps({"lessons": [{name: getattr(one, name) for name in fields} for one in kept]}))
        return 0
    for one in kept:
        print(f"{one.key}  {one.learnt_at[:16].replace('T', ' ')}  {one.words}")
    print(f"{len(kept)} lessons in {lessons_folder()}")
    return 0
