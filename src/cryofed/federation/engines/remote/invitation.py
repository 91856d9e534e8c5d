"""The invitation: a file without secrets that tells a site where the aggregator is, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryofed import __version__
from cryofed.disk.whole import write_whole
from cryofed.errors import InputError
from cryofed.federation.agreement.plan import Plan
from cryofed.schema.fields import NAME, NAME_REMEDY, needed, number, word
from cryofed.schema.reading import noun_of, read_toml
from cryofed.schema.writing import lines_of


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationFile:
    """What the coordinator sent."""

    federation: str = needed("name of the federation")
    engine: str = word("flare", "that carries the vectors", pattern=NAME, remedy=NAME_REMEDY)
    host: str = needed("by which the aggregator is reached")
    port: int = number(8102, "of the aggregator", least=1, most=65535)
    authority: str = needed("fingerprint of the root certificate; ask the coordinator to read it to you")
    coordinator: str = needed(
        "fingerprint of the key that signs agreements and releases; have it read to you, too"
    )
    cryofed: str = needed("the coordinator's version; a site needs the same")
    agreement: str = needed("as the coordinator signed it; cryofed shows it in words")


def engine_of(path: Path) -> str:
    """The engine that an invitation names, of whatever version it is.

    Raises:
        InputError: no invitation.
    """
    return _read(path).engine


def read_invitation(path: Path) -> InvitationFile:
    """Read an invitation; a site of another version is told so before it makes a key.

    Raises:
        InputError: no invitation, or one of another version.
    """
    invitation = _read(path)
    if invitation.cryofed != __version__:
        remedy = (
            f"take the coordinator's: python -m pip install '.[{invitation.engine}]' in the source folder "
            f"of cryofed {invitation.cryofed}"
        )
        raise InputError(path, "cryofed", f"{invitation.cryofed} there, {__version__} here", remedy)
    return invitation


def _read(path: Path) -> InvitationFile:
    table = read_toml(path, "invitation", "give the coordinator's invitation.toml")
    return noun_of(InvitationFile, table, path)


def write_invitation(path: Path, plan: Plan, authority: str, coordinator: str, agreement: str) -> None:
    """Write the invitation of this plan's federation.

    Args:
        path: of the file.
        plan: of the federation.
        authority: fingerprint of the root certificate.
        coordinator: fingerprint of the signing key.
        agreement: the signed file's text.
    """
    invitation = InvitationFile(
        federation=plan.name,
        engine=plan.engine,
        host=plan.network.host,
        port=plan.network.port,
        authority=authority,
        coordinator=coordinator,
        agreement=agreement,
        cryofed=__version__,
    )
    lines = ["# An invitation to a CryoFed federation. It holds no secret.", *lines_of(invitation)]
    write_whole(path, ("\n".join(lines) + "\n").encode())
