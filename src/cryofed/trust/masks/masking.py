"""The masks: X25519 makes a secret of each pair, HKDF binds it to the attempt, AES-CTR makes the words.

Of a pair, the site whose name is first adds the words and the other one subtracts them: in the sum of
all they cancel. A mask of the site's own lies above, whose seed it opens once (Bonawitz et al. 2017,
Practical Secure Aggregation for Privacy-Preserving Machine Learning, section 4, without the shares that
rebuild a missing site's secrets: here the round is called again without it).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cryofed.errors import FederationError, GuardError, WireError
from cryofed.learning.vector import Vector
from cryofed.trust.masks.fixed_point import BLOCK
from cryofed.trust.masks.messages import Call, Masked, Offer, Offers, Opening, Words
from cryofed.trust.masks.rules import MaskRules, check_offers
from cryofed.trust.masks.signing import public_bytes, sign


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a site keeps to itself of one attempt; the key is never written to a message or a disk."""

    call: Call
    site: str
    key: Any = field(repr=False)  # X25519, private
    seed: bytes = field(repr=False)  # of its own mask


@dataclass(frozen=True, slots=True)
class Total:
    """All that the aggregator learns of a round's updates."""

    vector: Vector  # weighted mean
    weight: float  # sum of the weights
    sites: int


def make_offer(call: Call, site: str, identity: Any) -> tuple[Offer, Secrets]:
    """At the site: fresh secrets for this attempt, and the offer that names their public half.

    Args:
        call: checked by `check_call`, and begun in the site's ledger.
        site: its name in the agreement.
        identity: the private key that belongs to its certificate.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = X25519PrivateKey.generate()
    offer = Offer(site, call.hash, key.public_key().public_bytes_raw(), b"", public_bytes(identity))
    signed = replace(offer, signature=sign(identity, offer.signed()))
    return signed, Secrets(call, site, key, secrets.token_bytes(32))


def mask(vector: Vector, weight: float, own: Secrets, offers: Offers, rules: MaskRules) -> Masked:
    """At the site: the update under all its masks.

    Args:
        vector: `(numbers,)`, after clip and noise; not encoded by a codec.
        weight: how much the site counts; it is masked too.
        own: used for this one update and then dropped.
        offers: from the aggregator; checked here.
        rules: the agreement's.

    Raises:
        GuardError: the offers do not hold, or the update is beyond the agreed range.
    """
    if vector.shape != (rules.numbers,):
        raise GuardError("mask-numbers", f"an update of {vector.size} numbers, {rules.numbers} were agreed")
    check_offers(offers, own.call, rules)
    words = rules.fixed.words(vector, weight)
    plus: list[bytes] = [_own_key(own.seed)]
    minus: list[bytes] = []
    for offer in offers.offers:
        if offer.site != own.site:
            (plus if own.site < offer.site else minus).append(_pair_key(own, offer, offers.hash))
    _add(words, plus, minus)
    return Masked(own.site, own.call.hash, offers.hash, words)


def gather(call: Call, offers: Iterable[Offer], rules: MaskRules) -> Offers:
    """At the aggregator: the offers of all, in the roster's order, checked.

    Raises:
        GuardError: one is missing, doubled, or not signed by its site.
    """
    gathered = Offers(call.hash, tuple(sorted(offers, key=lambda offer: offer.site)))
    check_offers(gathered, call, rules)
    return gathered


def check_masked(masked: Masked, call: Call, offers: Offers) -> None:
    """At the aggregator: refuse what was made for another attempt or from other offers.

    Raises:
        WireError: it was.
    """
    if masked.site not in call.roster or masked.call != call.hash:
        raise WireError("mask-call", f"{masked.site} sent a masked update of another attempt")
    if masked.offers != offers.hash or masked.words.shape != (call.numbers + 1,):
        raise WireError("mask-call", f"{masked.site} masked with other offers, or another number of words")


def unmask(call: Call, masked: Iterable[Masked], openings: Mapping[str, Opening], rules: MaskRules) -> Total:
    """At the aggregator: the weighted mean of a complete roster; memory is one update and the sum.

    Args:
        call: the attempt.
        masked: one of every site on the roster, checked by `check_masked`, read once.
        openings: by site.
        rules: the agreement's.

    Raises:
        FederationError: a site's update or opening is missing; without all of them there is no sum.
        WireError: a sum that sites within the agreed range cannot have made.
    """
    seeds = [openings[site].seed for site in call.roster if site in openings]
    if len(seeds) < len(call.roster) or any(opening.call != call.hash for opening in openings.values()):
        raise FederationError("a site of the roster has not opened its own mask of this attempt")
    total: Words | None = None
    seen = set()
    for one in masked:
        seen.add(one.site)
        if total is None:
            total = one.words.copy()
        else:
            np.add(total, one.words, out=total)
    if total is None or seen != set(call.roster):
        raise FederationError("a site of the roster has not sent its masked update of this attempt")
    _add(total, [], [_own_key(seed) for seed in seeds])
    vector, weight = rules.fixed.mean(total)
    return Total(vector, weight, len(call.roster))


def _pair_key(own: Secrets, offer: Offer, transcript: bytes) -> bytes:
    """32 bytes that the two sites alone can make, for this attempt alone."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    try:
        shared = own.key.exchange(X25519PublicKey.from_public_bytes(offer.key))
    except ValueError:  # a key that gives the same secret with everyone
        raise GuardError("mask-offers", f"{offer.site} offers a key that is no key") from None
    first, second = sorted((own.site.encode(), offer.site.encode()))
    info = b"cryofed-mask-pair-v1\0" + len(first).to_bytes(2, "big") + first + second
    # The transcript holds all keys and, through the call, round, attempt, roster and model.
    return _derive(shared, transcript, info)


def _own_key(seed: bytes) -> bytes:
    return _derive(seed, b"", b"cryofed-mask-own-v1")


def _derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def _add(words: Words, plus: Sequence[bytes], minus: Sequence[bytes]) -> None:
    """Add and subtract the key streams in place, a block at a time."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    def streams(keys: Sequence[bytes]) -> list[Any]:
        # A key makes one stream and is used once, so that the counter may begin at zero.
        return [Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor() for key in keys]

    adding, taking = streams(plus), streams(minus)
    nothing, stream = memoryview(bytes(8 * BLOCK)), np.empty(BLOCK, "<u8")
    for first in range(0, len(words), BLOCK):
        part = words[first : first + BLOCK]
        size = 8 * len(part)
        for one in adding:
            one.update_into(nothing[:size], stream.view(np.uint8).data[:size])
            np.add(part, stream[: len(part)], out=part)
        for one in taking:
            one.update_into(nothing[:size], stream.view(np.uint8).data[:size])
            np.subtract(part, stream[: len(part)], out=part)
