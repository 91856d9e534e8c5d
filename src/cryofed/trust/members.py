"""Who may take part: the coordinator's own record of every approval."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
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
    former: tuple[str, ...] = ()  # fingerprints of keys that it had before: never let in again
    revoked: str = ""  # day and time, UTC; empty: it takes part


def read_members(path: Path) -> dict[str, Member]:
    """Members by name; none where nothing was approved yet."""
    try:
        rows = json.loads(path.read_text())
        return {row["name"]: Member(**row | {"former": tuple(row.get("former", ()))}) for row in rows}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(path, "registry", str(error)[:120], "restore it from a backup") from error


class Registry:
    """The members as the file says now; it is read again only where it was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._members: dict[str, Member] = {}

    def members(self) -> dict[str, Member]:
        """All, also those that were revoked; none where the file cannot be read."""
        try:
            stat = self._path.stat()
            if self._seen != (stat.st_ino, stat.st_mtime_ns):
                self._members = read_members(self._path)
                self._seen = (stat.st_ino, stat.st_mtime_ns)
        except (OSError, InputError):
            self._members, self._seen = {}, None  # a registry that cannot be read approves nobody
        return self._members

    def live(self) -> dict[str, Member]:
        """Those that take part."""
        return {name: one for name, one in self.members().items() if not one.revoked}

    def revoked(self) -> set[str]:
        """Names of those that were revoked."""
        return {name for name, one in self.members().items() if one.revoked}


def check_new(members: dict[str, Member], request: Request, *, renew: bool) -> None:
    """Refuse a second request for a known name: FLARE would sign it, and the two would fight for the seat.

    Keys are compared, not names: one that was replaced or revoked never comes back under any name.
    """
    known = members.get(request.name)
    for one in members.values():
        spent = [*one.former, *([one.fingerprint] if one.revoked else [])]
        if any(same_fingerprint(key, request.fingerprint) for key in spent):
            raise FederationError(
                f"{request.name} brings a key of {one.name} that was replaced or revoked; ask for a request "
                "with a new key (cryofed site join INVITATION --renew)"
            )
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
    if known.revoked and not renew:
        raise FederationError(
            f"{request.name} was revoked on {known.revoked[:10]}; let it in again with --renew"
        )
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
    """Add or renew a member; call inside `one_approval`. Its key before, if another, becomes a former one."""
    members = read_members(path)
    known = members.get(member.name)
    if known is not None:
        before = () if same_fingerprint(known.fingerprint, member.fingerprint) else (known.fingerprint,)
        member = replace(member, former=(*known.former, *before))
    members[member.name] = member
    rows = [asdict(members[name]) for name in sorted(members)]
    write_whole(path, json.dumps(rows, indent=1).encode() + b"\n")


def revoke(path: Path, name: str) -> Member:
    """Let a site take part no more, from now on.

    Raises:
        FederationError: no such site, or it was revoked before.
    """
    with one_approval(path):
        members = read_members(path)
        sites = sorted(one.name for one in members.values() if one.role == "site")
        if name not in sites:
            raise FederationError(f"{name} is no approved site; there are: {', '.join(sites) or 'none'}")
        if members[name].revoked:
            raise FederationError(f"{name} was revoked on {members[name].revoked[:10]}")
        member = replace(members[name], revoked=now())
        write_member(path, member)
    return member


def one_approval(path: Path) -> AbstractContextManager[None]:
    """One approval at a time."""
    return held(path.with_suffix(".lock"))


def now() -> str:
    """This second, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
