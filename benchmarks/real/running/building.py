"""Build the sets from their public sources, and tell where they come from."""

from __future__ import annotations

import argparse

from benchmarks.measuring.page import write_between
from benchmarks.real.build import build
from benchmarks.real.page import PAGE, sources_table
from benchmarks.real.sources import sources
from cryofed.errors import InputError


def build_sets(options: argparse.Namespace) -> int:
    """Build what was asked for; 1 where a set that can be built was not."""
    names = frozenset(name for name in options.only.split(",") if name)
    unknown = names - {source.name for source in sources()}
    if unknown:
        raise InputError("--only", "set", ", ".join(sorted(unknown)), f"give names of {PAGE.name}")
    if options.mirror is not None and not options.mirror.is_dir():
        raise InputError(
            options.mirror, "--mirror", "no such folder", "give a folder of bare clones OWNER+NAME"
        )
    written, failed = 0, 0
    for built in build(options.out, options.mirror, names):
        if built.skipped:
            expected = next(source.not_rebuilt for source in sources() if source.name == built.name)
            failed += not expected
            print(f"{built.name}: {'not rebuilt' if expected else 'error'}: {built.skipped}", flush=True)
        else:
            written += 1
            same = (
                "the very pixels of the table"
                if built.same_pixels
                else "pixels differ by rounding from the table's"
            )
            print(f"{built.name}: {same}", flush=True)
    print(f"wrote {written} sets to {options.out}" + (f"; {failed} could not be built" if failed else ""))
    return 1 if failed else 0


def tell_sources(options: argparse.Namespace) -> int:
    """The table of the sources."""
    if options.write:
        write_between(PAGE, {"sources": sources_table()})
    else:
        print(sources_table())
    return 0
