"""The agreement between a coordinator's folder and a site's, whatever engine carries it."""

from __future__ import annotations

from dataclasses import replace

from cryofed.disk.whole import write_whole
from cryofed.errors import AgreementError, FederationError
from cryofed.federation.agreement.agreed import Agreement, agreement_of
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.agreement.signing import issue, opened_agreement, read_signed
from cryofed.federation.engines.remote.homes import Home, SiteHome
from cryofed.federation.engines.remote.invitation import InvitationFile, read_invitation
from cryofed.federation.site.consent import Consent
from cryofed.trust.certificates import authority_fingerprint
from cryofed.trust.envelope import make_signing_key, read_signing_key
from cryofed.trust.keys import key_fingerprint, same_fingerprint
from cryofed.trust.members import Registry

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


def agreement_hash(home: Home) -> str:
    """Hash of the newest agreement."""
    found = read_signed(home.agreement, signer_of(home))
    return "" if found is None else found.hash


def consent_of(home: SiteHome) -> Consent:
    """What a site has accepted, under the key of the invitation that it answered."""
    return Consent(home.agreement, read_invitation(home.invitation).coordinator)


def check_invitation(invitation: InvitationFile, home: SiteHome) -> Agreement:
    """The agreement in an invitation, which this site may read and accept.

    Raises:
        AgreementError: not signed by the key that the invitation names, of another authority, or of another
            coordinator than the one that this site has pinned.
    """
    found = opened_agreement(invitation.agreement.encode(), invitation.coordinator)
    if found.federation != invitation.federation or not same_fingerprint(
        found.authority, invitation.authority
    ):
        raise AgreementError(
            "forged", "invitation and agreement name different federations; ask for a new one"
        )
    if home.invitation.exists() and home.agreement.exists():
        consent_of(home).check_pin(invitation.coordinator)
    return found


def _authority(home: Home) -> str:
    return authority_fingerprint(home.authority / "root.pem")


def _keys(home: Home) -> dict[str, str]:
    """By name, for the profiles that name the members' keys."""
    return {one.name: one.fingerprint for one in Registry(home.registry).live().values()}
