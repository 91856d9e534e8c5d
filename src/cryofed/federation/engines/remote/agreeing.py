"""The agreement between a coordinator's folder and a site's, whatever engine carries it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cryofed.disk.whole import write_whole
from cryofed.errors import AgreementError, FederationError
from cryofed.federation.aggregator.attested import Asking, Proving
from cryofed.federation.agreement.agreed import Agreement, agreement_of
from cryofed.federation.agreement.masking import Seal
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.agreement.signing import issue, opened_agreement, read_signed
from cryofed.federation.engines.remote.homes import Home, SiteHome
from cryofed.federation.engines.remote.invitation import InvitationFile, read_invitation
from cryofed.federation.site.attesting import AGGREGATOR, Claim, Witness, site_binding
from cryofed.federation.site.consent import Consent
from cryofed.trust.attestation.verifying import verify
from cryofed.trust.certificates import authority_fingerprint
from cryofed.trust.envelope import make_signing_key, read_signing_key
from cryofed.trust.keys import key_fingerprint, same_fingerprint
from cryofed.trust.members import Registry

if TYPE_CHECKING:
    from cryofed.trust.attestation.binding import Binding
    from cryofed.trust.attestation.evidence import Evidence

PLAN = "plan.toml"  # in an engine's folder: what the aggregator runs


def signer_of(home: Home) -> str:
    """Fingerprint of the coordinator's signing key, which is made where there is none yet."""
    if not home.signing_key.exists():
        return make_signing_key(home.signing_key)
    return key_fingerprint(read_signing_key(home.signing_key).public_key())


def sign_agreement_of(plan: Plan, home: Home) -> Agreement:
    """Sign the agreement of this plan: a new version where its terms differ from the last one's."""
    signer_of(home)
    key = read_signing_key(home.signing_key)
    return issue(home.agreement, plan, key, authority=_authority(home), keys=_keys(home))


def prepare(plan: Plan, home: Home) -> None:
    """Lay down what the aggregator runs, before a campaign.

    Raises:
        FederationError: the plan is not the one that was signed.
    """
    signed_agreement(plan, home)
    sites = tuple(replace(site, library="") for site in plan.sites)
    write_whole(home.folder / PLAN, commented_plan(replace(plan, sites=sites, tables={})).encode())


def signed_agreement(plan: Plan, home: Home) -> str:
    """The signed file as it travels with every order.

    Raises:
        FederationError: none was signed, or for another plan than this one.
    """
    last = read_signed(home.agreement, signer_of(home)) if home.agreement.exists() else None
    remedy = "sign it: cryofed federation provision PLAN.toml --invite; then every site reads and accepts it"
    if last is None:
        raise FederationError(f"{home.folder}: no agreement was signed yet; {remedy}")
    if agreement_of(plan, _authority(home), last, _keys(home)).hash != last.hash:
        raise FederationError(f"the plan is not that of agreement {last.version}, which was signed; {remedy}")
    return home.agreement.read_text()


def seal_of(plan: Plan, home: Home) -> Seal | None:
    """Who the sites are, in profile masked; None in the others."""
    if not plan.masked:
        return None
    last = read_signed(home.agreement, signer_of(home)) if home.agreement.exists() else None
    return None if last is None else sealed(last)


def sealed(agreement: Agreement) -> Seal:
    """The sites' keys, as an agreement names them."""
    return Seal(agreement=agreement.hash, identities=_site_keys(agreement))


def _site_keys(agreement: Agreement) -> dict[str, str]:
    return {one.name: one.key for one in agreement.members if one.role == "site" and one.key != "-"}


def _last_agreement(home: Home) -> Agreement:
    last = read_signed(home.agreement, signer_of(home))
    if last is None:
        raise FederationError(f"{home.folder}: no agreement was signed yet")
    return last


def proving_of(plan: Plan, home: Home) -> Proving | None:
    """How the aggregator proves itself, in profile attested; None in the others."""
    if not plan.attested:
        return None
    witness = witness_of(_last_agreement(home))
    return Proving(lambda nonce: witness.binding(plan, nonce), _collector(home.endorsements))


def asking_of(plan: Plan, home: Home) -> Asking | None:
    """What the aggregator asks of sites, where the agreement says what they must prove; else None."""
    if not plan.sites_attest:
        return None
    last = _last_agreement(home)
    keys = _site_keys(last)
    if absent := sorted({*plan.site_names} - {*keys}):
        raise FederationError(
            f"no key is agreed for {', '.join(absent)}; sites join first, then the agreement is signed anew: "
            "cryofed federation provision PLAN.toml --invite"
        )
    return Asking(lambda site, nonce: site_binding(plan, site, keys[site], last.hash, nonce), verify)


def claim_of(agreement: Agreement, name: str, home: SiteHome) -> Claim:
    """How this site proves itself.

    Raises:
        AgreementError: the agreement does not name its key.
    """
    key = next((one.key for one in agreement.members if (one.role, one.name) == ("site", name)), "-")
    if key == "-":
        raise AgreementError("older", f"the agreement does not name the key of {name}; sign it anew")
    return Claim(agreement.hash, key, _collector(home.endorsements))


def _collector(endorsements: Path) -> Callable[[Binding], Evidence]:
    """How this machine's chip is asked: by the kernel, or by the function that `CRYOFED_EVIDENCE` names.

    Whatever it gives is verified by the other side, under the chip makers' roots.
    """
    from cryofed.trust.attestation.collect import collect

    named = os.environ.get("CRYOFED_EVIDENCE")  # MODULE:FUNCTION
    if not named:
        return lambda told: collect(told, endorsements)
    module, _, function = named.partition(":")
    collector: Callable[[Binding], Evidence] = getattr(import_module(module), function)
    return collector


def witness_of(agreement: Agreement) -> Witness:
    """What a site knows of the aggregator from the agreement that it accepted.

    Raises:
        AgreementError: the agreement does not name the aggregator's key.
    """
    key = next((one.key for one in agreement.members if one.role == AGGREGATOR), "-")
    if key == "-":
        raise AgreementError("older", "the agreement does not name the aggregator's key; sign it anew")
    return Witness(agreement.hash, key)


def agreement_hash(home: Home) -> str:
    """Hash of the newest agreement."""
    agreement = read_signed(home.agreement, signer_of(home))
    return "" if agreement is None else agreement.hash


def consent_of(home: SiteHome) -> Consent:
    """What a site has accepted, under the key of the invitation that it answered."""
    return Consent(home.agreement, read_invitation(home.invitation).coordinator)


def check_invitation(invitation: InvitationFile, home: SiteHome) -> Agreement:
    """The agreement in an invitation, which this site may read and accept.

    Raises:
        AgreementError: not signed by the key that the invitation names, of another authority, or of another
            coordinator than the one that this site has pinned.
    """
    agreement = opened_agreement(invitation.agreement.encode(), invitation.coordinator)
    if agreement.federation != invitation.federation or not same_fingerprint(
        agreement.authority, invitation.authority
    ):
        raise AgreementError(
            "forged", "invitation and agreement name different federations; ask for a new one"
        )
    if home.invitation.exists() and home.agreement.exists():
        consent_of(home).check_pin(invitation.coordinator)
    return agreement


def _keys(home: Home) -> dict[str, str]:
    """Fingerprints of all members by their names in the agreement, where the aggregator is called so."""
    return {
        AGGREGATOR if one.role == AGGREGATOR else one.name: one.fingerprint
        for one in Registry(home.registry).live().values()
    }


def _authority(home: Home) -> str:
    return authority_fingerprint(home.authority / "root.pem")
