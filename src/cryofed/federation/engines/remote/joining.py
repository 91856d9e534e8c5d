"""Join a federation: the private key is made at home, and only a request to sign it is sent."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError, OutputError
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.agreement.site_policy import SitePolicy, commented_policy
from cryofed.federation.engines.remote.agreeing import check_invitation, consent_of
from cryofed.federation.engines.remote.homes import SiteHome, check_folder, organization_name
from cryofed.federation.engines.remote.invitation import InvitationFile, read_invitation
from cryofed.schema.fields import NAME, NAME_REMEDY
from cryofed.trust.identity import take_answer
from cryofed.trust.keys import KeyKind
from cryofed.trust.requests import SUFFIX, Request, make_request, read_request


def ask(
    path: Path, home: SiteHome, name: str, organization: str, *, kind: KeyKind, renew: bool = False
) -> tuple[Path, Request]:
    """Make the key in the site's folder and write the request; return the file to send and what it says.

    Raises:
        InputError: no invitation, or a name that no site can have.
        AgreementError: the invitation's agreement is not signed by the key that it names.
        OutputError: the site has joined, or its request waits for an answer.
    """
    folder = check_folder(home.folder)
    check_invitation(read_invitation(path), home)
    if not re.fullmatch(NAME, name):
        raise InputError("--name", "name", repr(name)[:60], NAME_REMEDY)
    if home.identity.exists and not renew:
        raise OutputError(
            folder, "site", "has joined already", "start it, or renew its certificate with --renew"
        )
    if home.request.exists():
        if not renew and any(home.request.glob(f"*{SUFFIX}")):
            remedy = "give NAME.signed.pem, or remove the folder request/"
            raise OutputError(folder, "request", "waits for its answer", remedy)
        shutil.rmtree(home.request)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.resolve() != home.invitation.resolve():
        write_whole(home.invitation, path.read_bytes())
    consent_of(home).propose(read_invitation(path).agreement.encode())
    if not home.policy.exists():
        write_whole(home.policy, commented_policy(SitePolicy(guard=GuardRules())).encode(), mode=0o600)
    asked = Request(name=name, organization=organization_name(organization), role="site", fingerprint="")
    written = make_request(home.request, asked, kind)
    sent = folder / written.name
    write_whole(sent, written.read_bytes())
    return sent, read_request(sent)


def accept(path: Path, home: SiteHome) -> tuple[str, InvitationFile]:
    """Take the coordinator's answer and check its authority against the invitation; the name.

    Raises:
        InputError: no request waits, another authority, or the answer to another request.
    """
    folder = check_folder(home.folder)
    waiting = sorted(home.request.glob(f"*{SUFFIX}"))
    if not home.invitation.exists() or not waiting:
        raise InputError(
            path, "answer", f"no request waits in {folder}", "first: cryofed site join INVITATION"
        )
    invitation = read_invitation(home.invitation)
    name = waiting[0].name.removesuffix(SUFFIX)
    take_answer(path, home.request, invitation.authority, home.identity)
    return name, invitation
