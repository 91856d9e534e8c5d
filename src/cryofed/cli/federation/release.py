"""A federation's releases: their lineage, who promoted them, and going back to an earlier one."""

from __future__ import annotations

import argparse
import getpass
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryofed.cli.as_json import add_json, print_json
from cryofed.cli.model import add_trust, checked_release
from cryofed.cli.numbers import natural
from cryofed.errors import InputError

if TYPE_CHECKING:
    from cryofed.federation.releases.history import Promotion
    from cryofed.federation.releases.store import Release


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """List, show, verify, promote, rollback."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, purpose, function in (
        ("list", "every release with its parent and who promoted it", _list),
        ("show", "one release: lineage, how it was made, what the gate measured", _show),
        ("verify", "hold releases against their signatures, and say what these say", _verify),
        ("promote", "make a release the current one, by hand", _promote),
        ("rollback", "go back to the current release's parent", _rollback),
    ):
        child = commands.add_parser(name, help=purpose, description=purpose)
        where = "the federation's folder, or its PLAN.toml" + (", or a release's" if name == "verify" else "")
        child.add_argument("home", type=Path, help=where)
        if name == "verify":
            add_trust(child)
        if name in ("list", "show", "verify"):
            add_json(child)
        if name in ("show", "promote"):
            child.add_argument("number", type=natural, help="of the release")
        if name in ("promote", "rollback"):
            child.add_argument("--why", required=True, help="a reason, for the history")
        child.set_defaults(run_action=function)


def run(options: argparse.Namespace) -> None:
    """The action that was asked for."""
    options.run_action(options)


def _list(options: argparse.Namespace) -> None:
    from cryofed.federation.releases.store import current_release, parent_of, read_release, release_numbers

    folder = _releases(options.home)
    current, history = current_release(folder), _history(folder)
    if options.json:
        told = [_facts(folder, number) for number in release_numbers(folder)]
        print_json({"current": current.number if current else None, "releases": told})
        return
    for number in release_numbers(folder):
        release = read_release(folder / f"{number:04d}")
        mark = "*" if current and number == current.number else " "
        parent = parent_of(folder, release)
        lineage = f"from release {parent}" if parent else "the first"
        print(f"{mark} release {number}  {release.hash[:12]}  {lineage}, {_origin(release)}")
        for promotion in history:
            if promotion.release == number:
                print(f"    promoted {promotion.time} by {promotion.by}")


def _facts(folder: Path, number: int) -> dict[str, Any]:
    """One release: its card, where it came from, and who promoted it."""
    from cryofed.federation.releases.store import parent_of, read_release

    release = read_release(folder / f"{number:04d}")
    promoted = [{"time": one.time, "by": one.by} for one in _history(folder) if one.release == release.number]
    told = {"number": number, "hash": release.hash, "parent": parent_of(folder, release)}
    return told | {"model": release.path / "model.onnx", "promoted": promoted, "card": dict(release.card)}


def _show(options: argparse.Namespace) -> None:
    from cryofed.federation.releases.store import parent_of, read_release, release_numbers

    folder = _releases(options.home)
    if options.number not in release_numbers(folder):
        raise InputError(folder, "release", f"{options.number}", f"choose one of {release_numbers(folder)}")
    if options.json:
        print_json(_facts(folder, options.number))
        return
    release = read_release(folder / f"{options.number:04d}")  # refuses weights that the card does not name
    card, line = release.card, []
    ancestor: int | None = release.number
    while ancestor is not None:
        line.append(str(ancestor))
        ancestor = parent_of(folder, read_release(folder / f"{ancestor:04d}"))
    print(f"release {release.number}: {release.path / 'model.onnx'}")
    print(f"weights  {release.hash} (as the card says)")
    print(f"lineage  {' <- '.join(line)}")
    print(f"made by  {_origin(release)}")
    if "plan" in card:
        print(f"plan     {card['plan']}")
    for promotion in _history(folder):
        if promotion.release == release.number:
            print(f"promoted {promotion.time} by {promotion.by}")
    _show_gate(folder.parent / "campaigns", card.get("campaign"))


def _show_gate(campaigns: Path, number: Any) -> None:
    path = campaigns / f"{number:04d}" / "gate.json" if isinstance(number, int) else None
    if path is None or not path.exists():
        return
    from cryofed.disk.documents import read_document

    gate = read_document(path)
    print(f"gate     {gate['metric']} {gate['pooled_current']:.4f} -> {gate['pooled_candidate']:.4f}, pooled")
    for name, site in sorted(gate["sites"].items()):
        print(
            f"         {name}: {site['current']:.4f} -> {site['candidate']:.4f} "
            f"on {site['held_out']} held-out averages"
        )


def _verify(options: argparse.Namespace) -> None:
    from cryofed.federation.releases.signing import own_signer
    from cryofed.federation.releases.store import release_numbers, sound_release
    from cryofed.trust.words import fingerprint_words

    if (options.home / "model.onnx").exists():
        told = checked_release(options.home, options)
        print_json({"releases": [dict(told)]}) if options.json else _say(options.home, told)
        return
    folder = _releases(options.home)
    if not own_signer(folder.parent):
        raise InputError(folder.parent, "signing key", "none", "give a release's folder, and --trust")
    numbers, signer = release_numbers(folder), own_signer(folder.parent)
    for number in numbers:
        sound_release(folder / f"{number:04d}")
        if not options.json:
            print(f"release {number}: signed by {signer}, unchanged")
    words = fingerprint_words(signer)
    if not options.json:
        print(f"in words: {words}")
    else:
        print_json(
            {"releases": [{"release": number, "signed_by": signer, "words": words} for number in numbers]}
        )


def _say(folder: Path, card: Mapping[str, Any]) -> None:
    print(f"release {card['release']} in {folder}: signed by the pinned key, and unchanged")
    for name, value in card.items():
        if name != "release":
            print(f"  {name:<14} {', '.join(value) if isinstance(value, list) else value}")


def _promote(options: argparse.Namespace) -> None:
    from cryofed.disk.lock import sole_run
    from cryofed.federation.releases.store import promote

    folder = _releases(options.home)
    with sole_run(folder.parent):  # a campaign that runs would promote over it
        promote(folder, options.number, _person(options.why))
    print(f"release {options.number} is the current one: {folder / f'{options.number:04d}'}")


def _rollback(options: argparse.Namespace) -> None:
    from cryofed.disk.lock import sole_run
    from cryofed.federation.releases.store import rollback

    folder = _releases(options.home)
    with sole_run(folder.parent):
        release = rollback(folder, _person(options.why))
    print(f"release {release.number} is the current one again: {release.path}")


def _releases(home: Path) -> Path:
    from cryofed.federation.agreement.plan_file import read_plan

    if home.is_file():
        home = home.parent / read_plan(home).name
    if not (home / "releases" / "current").exists():
        raise InputError(home, "releases", "none", "run the plan first: cryofed federation run PLAN.toml")
    return home / "releases"


def _history(folder: Path) -> list[Promotion]:
    from cryofed.federation.releases.history import promotions
    from cryofed.federation.releases.store import HISTORY

    return promotions(folder / HISTORY)


def _origin(release: Release) -> str:
    card = release.card
    if "campaign" not in card:
        return str(card.get("origin", "of unknown origin"))
    return f"campaign {card['campaign']}, {card.get('strategy')}, {card.get('rounds')} rounds"


def _person(why: str) -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        name = f"user {os.getuid()}"
    return f"{name}: {why}"
