"""Join a federation: the private key is made at home, and only a request to sign it is sent."""

from __future__ import annotations

import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryofed import __version__
from cryofed.errors import FederationError, InputError, OutputError
from cryofed.federation.engines.flare import certificates
from cryofed.federation.engines.flare.certificates import Request
from cryofed.federation.engines.flare.kits import harden_site
from cryofed.federation.engines.remote.homes import SiteHome, check_folder, organization_name

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What the coordinator sent."""

    federation: str
    host: str
    port: int
    authority: str  # fingerprint of the root certificate
    cryofed: str  # the coordinator's version


def read_invitation(path: Path) -> Invitation:
    """Read an invitation; a site of another version is told so before it makes a key."""
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            path, "invitation", str(error)[:100], "give the coordinator's invitation.toml"
        ) from error
    for field, kind in Invitation.__annotations__.items():
        if type(values.get(field)).__name__ != kind:
            raise InputError(
                path, field, repr(values.get(field)), "ask the coordinator for the invitation again"
            )
    invitation = Invitation(**{field: values[field] for field in Invitation.__annotations__})
    if invitation.cryofed != __version__:
        remedy = f"pip install 'cryofed[flare]=={invitation.cryofed}'"
        raise InputError(path, "cryofed", f"{invitation.cryofed} there, {__version__} here", remedy)
    return invitation


def ask(
    path: Path, home: SiteHome, name: str, organization: str, *, renew: bool = False
) -> tuple[Path, Request]:
    """Make the key in the site's folder and write the request; return the file to send and what it says."""
    certificates.need_flare()
    folder = check_folder(home.folder)
    invitation = read_invitation(path)
    if home.kit.exists() and not renew:
        raise OutputError(
            folder, "site", "has joined already", "start it, or renew its certificate with --renew"
        )
    if home.request.exists():
        if not renew and any(home.request.glob("*.request.zip")):
            raise OutputError(
                folder,
                "request",
                "waits for its answer",
                "give NAME.signed.zip, or remove the folder request/",
            )
        shutil.rmtree(home.request)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.resolve() != home.invitation.resolve():
        shutil.copyfile(path, home.invitation)
    participant: dict[str, object] = {"name": name, "type": "client", "org": organization_name(organization)}
    written = certificates.make_request(home.request, invitation.federation, participant)
    sent = folder / written.name
    shutil.copyfile(written, sent)
    return sent, certificates.read_request(sent)


def accept(path: Path, home: SiteHome) -> str:
    """Take the coordinator's answer, check its authority against the invitation, make the kit; the name."""
    certificates.need_flare()
    folder = check_folder(home.folder)
    if not home.invitation.exists() or not any(home.request.glob("*.key")):
        raise InputError(
            path, "answer", f"no request waits in {folder}", "first: cryofed site join INVITATION"
        )
    invitation = read_invitation(home.invitation)
    name = next(home.request.glob("*.key")).stem
    if not zipfile.is_zipfile(path):
        raise InputError(path, "answer", "not a signed request", "give the coordinator's NAME.signed.zip")
    new = folder / "kit.new"
    shutil.rmtree(new, ignore_errors=True)
    try:
        certificates.package(folder, path, home.request, invitation.authority, new)
    except FederationError as error:
        raise InputError(
            path, "answer", str(error), "ask the coordinator for the answer to this request"
        ) from error
    harden_site(new)
    shutil.rmtree(home.kit, ignore_errors=True)
    new.rename(home.kit)
    shutil.rmtree(home.request)
    return name
