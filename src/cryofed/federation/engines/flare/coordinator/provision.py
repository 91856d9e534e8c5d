"""Found a federation: an authority at the coordinator, the aggregator's kit, and an invitation for sites."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from cryofed import __version__
from cryofed.errors import FederationError, OutputError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flare import certificates, registry
from cryofed.federation.engines.flare.certificates import Request
from cryofed.federation.engines.flare.kits import harden_aggregator
from cryofed.federation.engines.remote.homes import Home, check_folder, organization_name


def provision(plan: Plan, home: Home) -> str:
    """Make authority, aggregator, coordinator's kit and invitation; return the authority's fingerprint.

    Only the aggregator's and the coordinator's own keys are made here. A site makes its own at home.
    """
    certificates.need_flare()
    folder = check_folder(home.folder)
    if home.authority.exists():
        raise OutputError(
            folder, "federation", "already provisioned", "keep it, or give another folder with --folder"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    network = plan.network
    profile = {
        "name": plan.name,
        "scheme": "grpc",
        "connection_security": "mtls",
        "server": {
            "host": network.host,
            "fed_learn_port": network.port,
            "admin_port": network.admin_port or network.port,
        },
    }
    home.profile.write_text(json.dumps(profile, indent=1) + "\n")
    root = certificates.make_authority(folder, home.profile, network.authority_days)
    organization = organization_name(network.organization)
    names = [name for name in network.host_names.split() if name != network.host]
    aggregator: dict[str, object] = {"name": network.host, "type": "server", "org": organization}
    _own_kit(plan, home, aggregator | ({"host_names": names} if names else {}), home.aggregator)
    coordinator: dict[str, object] = {
        "name": coordinator_name(plan),
        "type": "admin",
        "org": organization,
        "role": "lead",
    }
    _own_kit(plan, home, coordinator, home.coordinator)
    harden_aggregator(home.aggregator, home.registry)
    home.invitation.write_text(_invitation(plan, root))
    return root


def approve(
    plan: Plan, home: Home, path: Path, agrees: Callable[[Request], bool], *, renew: bool = False
) -> Path:
    """Sign a site's request if `agrees` says so, and return the file to send back.

    `agrees` shows name, organization, role and key fingerprint to the coordinator, who has the fingerprint
    from the site by another way than the request itself (by telephone).
    """
    certificates.need_flare()
    if not home.authority.exists():
        raise FederationError(f"{home.folder}: no authority here; run `cryofed federation provision` first")
    request = certificates.read_request(path)
    if request.role != "site":
        raise FederationError(
            f"{request.name} asks for the role {request.role!r}; only sites join by request"
        )
    with registry.locked(home.registry):
        registry.check_new(registry.read_registry(home.registry), request, renew=renew)
        if not agrees(request):
            raise FederationError(f"{request.name} was not approved; nothing was signed")
        answer = path.resolve().with_name(f"{request.name}.signed.zip")
        return _sign(plan, home, path, request, answer)


def coordinator_name(plan: Plan) -> str:
    """FLARE wants an e-mail address."""
    return f"coordinator@{plan.name}.org"


def _own_kit(plan: Plan, home: Home, participant: dict[str, object], kit: Path) -> None:
    work = kit.with_name(kit.name + "-request")
    path = certificates.make_request(work, plan.name, participant)
    answer = _sign(
        plan, home, path, certificates.read_request(path), work / f"{participant['name']}.signed.zip"
    )
    root = certificates.authority_fingerprint(home.authority / "rootCA.pem")
    certificates.package(home.folder, answer, work, root, kit)


def _sign(plan: Plan, home: Home, path: Path, request: Request, answer: Path) -> Path:
    certificates.sign(home.folder, path, home.profile, plan.network.certificate_days, answer)
    with zipfile.ZipFile(answer) as archive:
        last_day = json.loads(archive.read("signed.json"))["certificate"]["valid_until"]
    member = registry.Member(
        name=request.name,
        organization=request.organization,
        role=request.role,
        fingerprint=request.fingerprint,
        approved=registry.now(),
        last_day=last_day,
    )
    registry.write_member(home.registry, member)
    return answer


def _invitation(plan: Plan, root: str) -> str:
    return (
        "# An invitation to a CryoFed federation. Ask the coordinator to read `authority` to you.\n"
        f'federation = "{plan.name}"\nhost = "{plan.network.host}"\nport = {plan.network.port}\n'
        f'authority = "{root}"\ncryofed = "{__version__}"\n'
    )
