"""Who may take part: the coordinator's own record of every approval."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryofed.disk.lock import held
from cryofed.disk.whole import write_whole
from cryofed.errors import FederationError, InputError
from cryofed.trust.keys import same_fingerprint
from cryofed.trust.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One approved participant."""

    name: str
    organization: str
    role: str
    fingerprint: str  # of its public key
    approved: str  # day and time, UTC
    last_day: str  # of its certificate, UTC


def read_members(path: Path) -> dict[str, Member]:
    """Members by name; none where nothing was approved yet."""
    try:
        rows = json.loads(path.read_text())
        return {row["name"]: Member(**row) for row in rows}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(path, "registry", str(error)[:120], "restore it from a backup") from error


def check_new(members: dict[str, Member], request: Request, *, renew: bool) -> None:
    """Refuse a second request for a known name: FLARE would sign it, and the two would fight for the seat."""
    known = members.get(request.name)
    if known is None:
        if renew:
            raise FederationError(f"{request.name} is not in the registry: approve it without --renew")
        twin = next(
            (m for m in members.values() if same_fingerprint(m.fingerprint, request.fingerprint)), None
        )
        if twin:
            raise FederationError(
                f"{request.name} brings the key of {twin.name}; ask for a request of its own"
            )
        return
    if not renew:
        raise FederationError(
            f"{request.name} is already approved ({known.organization}, {known.fingerprint[:19]}…); "
            "another site needs another name, and the same site renews with --renew"
        )
    if known.organization != request.organization:
        raise FederationError(
            f"{request.name} belongs to {known.organization}, this is from {request.organization}: refused"
        )


def write_member(path: Path, member: Member) -> None:
    """Add or renew a member; call inside `one_approval`."""
    members = read_members(path) | {member.name: member}
    rows = [asdict(members[name]) for name in sorted(members)]
    write_whole(path, json.dumps(rows, indent=1).encode() + b"\n")


def one_approval(path: Path) -> AbstractContextManager[None]:
    """One approval at a time."""
    return held(path.with_suffix(".lock"))


def now() -> str:
    """This second, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
