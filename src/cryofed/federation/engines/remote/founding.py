"""Found a federation of real machines: an authority, the aggregator's identity, and approvals of requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cryofed.disk.whole import write_whole
from cryofed.errors import FederationError, InputError, OutputError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote.homes import Home, check_folder, organization_name
from cryofed.trust import authority, members
from cryofed.trust.certificates import read_certificate
from cryofed.trust.identity import Identity, leaf_and_root, place
from cryofed.trust.keys import KeyKind
from cryofed.trust.requests import SUFFIX, Request, make_request, read_request


def make_federation(plan: Plan, home: Home, kind: KeyKind) -> str:
    """Make authority and aggregator's identity in an empty folder; the authority's fingerprint.

    Only the aggregator's own key is made here. A site makes its own at home.

    Raises:
        OutputError: a federation is there already.
    """
    folder = check_folder(home.folder)
    if home.authority.exists():
        raise OutputError(
            folder, "federation", "already provisioned", "keep it, or give another folder with --home"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = authority.make_authority(home.authority, plan.name, plan.network.authority_days, kind)
    names = [name for name in plan.network.host_names.split() if name != plan.network.host]
    make_own(plan, home, plan.network.host, "aggregator", home.identity, kind=kind, names=names)
    return root


def make_own(
    plan: Plan,
    home: Home,
    name: str,
    role: str,
    identity: Identity,
    *,
    kind: KeyKind,
    names: Sequence[str] = (),
) -> None:
    """Make an identity of the coordinator's own machine, and enter it into the registry."""
    work = identity.folder.with_name(f"{identity.folder.name}-request")
    organization = organization_name(plan.network.organization)
    asked = Request(name=name, organization=organization, role=role, fingerprint="")
    request = make_request(work, asked, kind)
    answer = _sign(plan, home, request, work / "answer.pem", names)
    place(leaf_and_root(answer), work, identity)


def approve(
    plan: Plan, home: Home, path: Path, agrees: Callable[[Request], bool], *, renew: bool = False
) -> Path:
    """Sign a site's request if `agrees` says so, and return the file to send back.

    `agrees` shows name, organization, role and key fingerprint to the coordinator, who has the fingerprint
    from the site by another way than the request itself (by telephone).

    Raises:
        InputError: the file is no request.
        FederationError: not founded, another role than a site's, a known name, or not agreed to.
    """
    if not home.authority.exists():
        raise FederationError(f"{home.folder}: no authority here; run `cryofed federation provision` first")
    request = read_request(path)
    if request.role != "site":
        raise FederationError(
            f"{request.name} asks for the role {request.role!r}; only sites join by request"
        )
    if plan.site(request.name) is None:
        raise FederationError(f"{request.name} is not in the plan; add a [[sites]] table for it first")
    if request.organization != organization_name(request.organization):
        found = repr(request.organization)
        raise InputError(path, "organization", found, "ask the site for a new request")
    with members.one_approval(home.registry):
        members.check_new(members.read_members(home.registry), request, renew=renew)
        if not agrees(request):
            raise FederationError(f"{request.name} was not approved; nothing was signed")
        answer = path.resolve().with_name(f"{request.name}{SUFFIX}".replace("request", "signed"))
        return _sign(plan, home, path, answer)


def _sign(plan: Plan, home: Home, path: Path, answer: Path, names: Sequence[str] = ()) -> Path:
    write_whole(answer, authority.sign(home.authority, path, plan.network.certificate_days, names))
    request, certificate = read_request(path), read_certificate(answer)
    member = members.Member(
        name=request.name,
        organization=request.organization,
        role=request.role,
        fingerprint=request.fingerprint,
        approved=members.now(),
        last_day=certificate.last_day.isoformat(timespec="seconds"),
    )
    members.write_member(home.registry, member)
    return answer
