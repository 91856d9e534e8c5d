"""What the signed agreement says of masked rounds, and what each side refuses because of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from cryofed.errors import FederationError, GuardError
from cryofed.trust.masks.fixed_point import FixedPoint
from cryofed.trust.masks.messages import Call, Offer, Offers

LEAST_SITES = 3  # with two, the mean alone tells each the other's update


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRules:
    """The agreement's part on masks; every site and the aggregator hold the same."""

    campaign: bytes  # 32: hash of the campaign and of its signed agreement
    identities: Mapping[str, str]  # site: fingerprint of its certificate's public key
    min_sites: int
    numbers: int  # in one update: channels times the layout's size
    fixed: FixedPoint

    def __post_init__(self) -> None:
        if self.min_sites < LEAST_SITES:
            raise ValueError(f"min_sites: found {self.min_sites}, masks protect from {LEAST_SITES} sites on")
        if not self.min_sites <= len(self.identities) <= self.fixed.max_sites:
            raise ValueError(
                f"{len(self.identities)} sites, agreed are {self.min_sites} to {self.fixed.max_sites}"
            )


def collusion_threshold(sites: int) -> int:
    """How many sites of a roster can join the aggregator without seeing another site's update alone.

    All but one see the last one's: they take their own from the sum. That holds for every sum.
    """
    return max(0, sites - 2)


def new_call(rules: MaskRules, round_number: int, model: bytes, sites: Collection[str]) -> Call:
    """The first attempt at a round.

    Raises:
        FederationError: fewer sites than agreed.
    """
    _enough(rules, sites)
    return Call(
        campaign=rules.campaign,
        round_number=round_number,
        attempt=1,
        model=model,
        roster=tuple(sorted(sites)),
        numbers=rules.numbers,
        fraction_bits=rules.fixed.fraction_bits,
    )


def restart(rules: MaskRules, call: Call, present: Collection[str]) -> Call:
    """The next attempt, without the sites that went missing; every key and every mask is a new one.

    Raises:
        FederationError: fewer sites than agreed are left, or one that was not on the roster.
    """
    if strangers := sorted(set(present) - set(call.roster)):
        raise FederationError(f"{strangers[0]} was not on the roster; a site joins at the next round")
    _enough(rules, present)
    return replace(call, attempt=call.attempt + 1, roster=tuple(sorted(present)))


def check_call(call: Call, rules: MaskRules, site: str, model: bytes) -> None:
    """At the site: refuse a call that differs from the agreement or from the model that it was given.

    Raises:
        GuardError: the site sits this attempt out.
    """
    for code, good, words in (
        ("mask-campaign", call.campaign == rules.campaign, "it names another campaign or agreement"),
        ("mask-model", call.model == model, "it names another model than this site was given"),
        ("mask-roster", site in call.roster, "this site is not on the roster"),
        ("mask-roster", len(call.roster) >= rules.min_sites, f"{len(call.roster)} sites on the roster"),
        ("mask-roster", set(call.roster) <= set(rules.identities), "a site that the agreement lacks"),
        ("mask-numbers", call.numbers == rules.numbers, f"{call.numbers} numbers"),
        ("mask-numbers", call.fraction_bits == rules.fixed.fraction_bits, "another fixed point"),
    ):
        if not good:
            raise GuardError(code, f"masked round refused: {words}")


def check_offers(offers: Offers, call: Call, rules: MaskRules) -> None:
    """On both sides: every site of the roster, once, in order, with a key of its own that it signed.

    Raises:
        GuardError: an aggregator that swaps keys, or a site that answered another call.
    """
    if offers.call != call.hash or tuple(o.site for o in offers.offers) != call.roster:
        raise GuardError("mask-offers", "the offers are not those of this roster")
    if len({offer.key for offer in offers.offers}) != len(offers.offers):
        raise GuardError("mask-offers", "two sites offer the same key")
    for offer in offers.offers:
        check_offer(offer, call, rules)


def check_offer(offer: Offer, call: Call, rules: MaskRules) -> None:
    """One offer: for this call, by a site on its roster, signed by that site's identity.

    Raises:
        GuardError: it is not.
    """
    from cryofed.trust.keys import key_fingerprint, same_fingerprint
    from cryofed.trust.masks.signing import public_key, signature_holds

    if offer.call != call.hash or offer.site not in call.roster:
        raise GuardError("mask-offers", f"{offer.site} answers another call")
    key = public_key(offer.identity)
    if key is None or not same_fingerprint(key_fingerprint(key), rules.identities[offer.site]):
        raise GuardError("mask-offers", f"{offer.site} shows another key than the agreement names")
    if not signature_holds(key, offer.signature, offer.signed()):
        raise GuardError("mask-offers", f"{offer.site} did not sign the key that is said to be its own")


def _enough(rules: MaskRules, sites: Collection[str]) -> None:
    if len(set(sites)) < rules.min_sites:
        raise FederationError(
            f"{len(set(sites))} sites are present, masks need {rules.min_sites}; wait for more, or end here"
        )
