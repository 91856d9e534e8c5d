"""Sites with identities and ledgers, and an aggregator that is honest, for tests of masked rounds."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cryofed.trust.keys import key_fingerprint
from cryofed.trust.masks.fixed_point import FixedPoint
from cryofed.trust.masks.ledger import MaskLedger
from cryofed.trust.masks.masking import Secrets, Total, check_masked, gather, unmask
from cryofed.trust.masks.messages import Call, Complete, Masked, Offer, Offers, Opening
from cryofed.trust.masks.rules import MaskRules, new_call
from cryofed.trust.masks.site import Member, answer_call, answer_complete, answer_offers

MODEL = hashlib.sha256(b"model").digest()
CAMPAIGN = hashlib.sha256(b"campaign").digest()
FIXED = FixedPoint(max_norm=10.0, max_weight=1e6, max_sites=64)


@dataclass
class Site:
    member: Member
    own: Secrets | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return self.member.site

    @property
    def ledger(self) -> MaskLedger:
        return self.member.ledger

    def offer(self, call: Call, model: bytes = MODEL) -> Offer:
        offer, self.own = answer_call(self.member, call, model)
        return offer

    def masked(self, vector: np.ndarray, weight: float, offers: Offers) -> Masked:
        assert self.own is not None
        return answer_offers(self.member, self.own, offers, vector, weight)

    def opening(self, call: Call, offers: Offers) -> Opening:
        return answer_complete(self.member, call, Complete(call.hash, offers.hash))


def group(folder: Path, count: int, numbers: int, min_sites: int = 3) -> tuple[list[Site], MaskRules]:
    """Sites `s00`, `s01`, …; every third has an identity on a curve of NIST."""
    keys: dict[str, Any] = {
        f"s{index:02}": ec.generate_private_key(ec.SECP256R1()) if index % 3 else Ed25519PrivateKey.generate()
        for index in range(count)
    }
    rules = MaskRules(
        campaign=CAMPAIGN,
        identities={name: key_fingerprint(key.public_key()) for name, key in keys.items()},
        min_sites=min_sites,
        numbers=numbers,
        fixed=FIXED,
    )
    return [
        Site(Member(site=name, rules=rules, ledger=MaskLedger(folder / f"{name}/masks.jsonl"), identity=key))
        for name, key in keys.items()
    ], rules


def sent(
    sites: Sequence[Site],
    call: Call,
    rules: MaskRules,
    vectors: Sequence[np.ndarray],
    weights: Sequence[float],
) -> tuple[Offers, list[Masked]]:
    """Every site's masked update, each message through its bytes."""
    call = Call.from_bytes(call.to_bytes())
    offers = gather(call, [Offer.from_bytes(s.offer(call).to_bytes()) for s in sites], rules)
    offers = Offers.from_bytes(offers.to_bytes())
    masked = [
        Masked.from_bytes(s.masked(v, w, offers).to_bytes(), rules.numbers + 1)
        for s, v, w in zip(sites, vectors, weights, strict=True)
    ]
    for one in masked:
        check_masked(one, call, offers)
    return offers, masked


def opened(
    sites: Sequence[Site], call: Call, offers: Offers, masked: Sequence[Masked], rules: MaskRules
) -> Total:
    """The sum, once every site has opened its own mask."""
    openings = [Opening.from_bytes(site.opening(call, offers).to_bytes()) for site in sites]
    return unmask(call, masked, {one.site: one for one in openings}, rules)


def first_call(rules: MaskRules, sites: Sequence[Site], round_number: int = 1) -> Call:
    return new_call(rules, round_number, MODEL, [site.name for site in sites])


def updates(count: int, numbers: int, seed: int = 0) -> tuple[list[np.ndarray], list[float]]:
    """Updates about one long, and weights of 10, 11, …"""
    rng = np.random.default_rng(seed)
    vectors = [rng.normal(0, numbers**-0.5, numbers).astype(np.float32) for _ in range(count)]
    return vectors, [float(10 + index) for index in range(count)]
