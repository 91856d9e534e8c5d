"""Show, verify or export what has left this site."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.cli.as_json import add_json, print_json

if TYPE_CHECKING:
    from cryofed.disk.chain import Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Show, verify, export."""
    parser.add_argument(
        "action",
        choices=("show", "verify", "export"),
        help="show: a line for each message; verify: that nothing was altered, taken out or cut off; "
        "export: all records as JSON",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where export writes")
    add_json(parser)
    parser.add_argument("--seal", help="verify: a seal that the coordinator reads out, from rounds.jsonl")


def run(options: argparse.Namespace) -> None:
    """The action that was asked for."""
    from cryofed.disk.chain import was_head
    from cryofed.disk.whole import write_whole
    from cryofed.errors import InputError
    from cryofed.federation.engines.remote.homes import SiteHome
    from cryofed.federation.site.outbox import AUDIT, check_audit, read_audit

    folder = SiteHome(options.home).audit
    records = read_audit(folder)
    if options.action == "show" and options.json:
        print_json({"records": [dict(one.facts) for one in records]})
        return
    if options.action == "show":
        for one in records:
            print(_line(one.facts))
        print(f"{len(records)} messages" if records else "nothing has left this site")
        return
    seal = check_audit(folder)
    if options.action == "verify":
        if options.seal and not was_head(folder / AUDIT, options.seal.lower()):
            raise InputError(folder / AUDIT, "records", "never had this seal", "ask who rewrote the file")
        heard = (folder / "acknowledged.json").exists()
        if options.json:
            print_json({"records": len(records), "acknowledged": heard, "seal": seal})
            return
        print(f"{len(records)} records, none altered, taken out or put in")
        print(
            "the end is not cut: the last acknowledged update is there"
            if heard
            else "nothing acknowledged yet"
        )
        print(f"seal {seal}")
        return
    if options.out is None:
        raise InputError("--out", "file", "none", "name the file to write")
    document = {"records": [dict(one.facts) for one in records], "seal": seal}
    write_whole(options.out, json.dumps(document, indent=1).encode() + b"\n")
    if options.json:
        print_json({"records": len(records), "file": options.out, "seal": seal})
    else:
        print(f"wrote {len(records)} records to {options.out}")


def _line(facts: Record) -> str:
    subject = facts["failure"] or f"answer to {facts['task']}"
    privacy = facts["privacy"]
    spent = f", epsilon {privacy['epsilon']:.2f}" if privacy else ""
    return (
        f"{facts['time']}  {subject}, {facts['bytes']} bytes to {facts['destination']}, "
        f"agreement {facts['agreement']}{spent}, sha256 {facts['sha256'][:12]}"
    )
