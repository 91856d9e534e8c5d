"""A site's three answers in a masked round; what must be on disk first is on disk first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cryofed.learning.vector import Vector
from cryofed.trust.masks.ledger import MaskLedger
from cryofed.trust.masks.masking import Secrets, make_offer, mask
from cryofed.trust.masks.messages import Call, Complete, Masked, Offer, Offers, Opening
from cryofed.trust.masks.rules import MaskRules, check_call


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """This site, in one campaign."""

    site: str  # its name in the agreement
    rules: MaskRules  # the agreement's
    ledger: MaskLedger  # this site's, one for all its campaigns
    identity: Any = field(repr=False)  # the private key of its certificate


def answer_call(member: Member, call: Call, model: bytes) -> tuple[Offer, Secrets]:
    """Take part in an attempt.

    Args:
        member: this site.
        call: from the aggregator.
        model: 32 bytes, hash of the model that this site was given and trains from.

    Raises:
        GuardError: the call is not as agreed, or was answered before.
    """
    check_call(call, member.rules, member.site, model)
    member.ledger.begin(call)
    return make_offer(call, member.site, member.identity)


def answer_offers(member: Member, own: Secrets, offers: Offers, vector: Vector, weight: float) -> Masked:
    """Send the update under its masks, once.

    Raises:
        GuardError: the offers do not hold, the update is beyond the agreed range, or one was made before.
    """
    masked = mask(vector, weight, own, offers, member.rules)
    member.ledger.release(own.call, offers.hash, own.seed)
    return masked


def answer_complete(member: Member, call: Call, complete: Complete) -> Opening:
    """Open the site's own mask, so that the sum of all can be read.

    Raises:
        GuardError: another attempt of the round, or another round from this model, was opened.
    """
    return member.ledger.open(call, complete, member.site)
