"""The six messages of a masked round, read strictly from bytes; any engine can carry them.

`Call` → `Offer` → `Offers` → `Masked` → `Complete` → `Opening`: aggregator and sites speak in turn. None
of them has a field for a pairwise secret, so that it cannot be asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import WireError
from cryofed.trust.documents import (
    Reader,
    base64_text,
    blob,
    hexadecimal,
    items,
    read_document,
    record,
    text,
    whole,
    write_document,
)

Words = NDArray[np.uint64]  # numbers in Z_2^64
MAX_SITES = 1024
_MAGIC = b"CRYOMASK"
_MAX_HEADER = 4096  # bytes
_MAX_DOCUMENT = 1 << 20  # bytes: 1,024 offers
_SIGNED = b"cryofed-mask-offer-v1\0"
_MAX_NUMBER = 2**53


@dataclass(frozen=True)
class Call:
    """The aggregator opens an attempt at a round: who takes part, from which model, in which numbers."""

    campaign: bytes  # 32: hash of the campaign and of its signed agreement
    round_number: int  # from 1
    attempt: int  # from 1; every restart is another
    model: bytes  # 32: hash of the common model that every site starts from
    roster: tuple[str, ...]  # sorted, at least two
    numbers: int  # in one update
    fraction_bits: int  # of the fixed point

    def __post_init__(self) -> None:
        if list(self.roster) != sorted(set(self.roster)) or len(self.roster) < 2:
            raise ValueError("roster: not two or more sites in order, each once")

    @cached_property
    def hash(self) -> bytes:
        """32 bytes; every later message names it."""
        return hashlib.sha256(self.to_bytes()).digest()

    def to_bytes(self) -> bytes:
        """The message."""
        fields = {name: getattr(self, name) for name in _CALL}
        fields |= {"campaign": self.campaign.hex(), "model": self.model.hex(), "roster": list(self.roster)}
        return write_document("cryofed.mask-call/1", fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> Call:
        """The message in these bytes; raises `WireError`."""
        fields = read_document(data, "cryofed.mask-call/1", _CALL, _MAX_DOCUMENT)
        try:
            return cls(**fields)
        except ValueError as error:
            raise WireError("field", str(error)) from None


@dataclass(frozen=True, slots=True)
class Offer:
    """A site takes part: its key for this attempt alone, signed by the key that the agreement names."""

    site: str
    call: bytes  # 32
    key: bytes  # 32: X25519, public
    signature: bytes
    identity: bytes  # public key of the site's certificate, DER; the agreement has its fingerprint

    def signed(self) -> bytes:
        """What the signature is over."""
        site = self.site.encode()
        return _SIGNED + len(site).to_bytes(2, "big") + site + self.call + self.key

    def to_bytes(self) -> bytes:
        """The message."""
        return write_document("cryofed.mask-offer/1", self._fields())

    @classmethod
    def from_bytes(cls, data: bytes) -> Offer:
        """The message in these bytes; raises `WireError`."""
        return cls(**read_document(data, "cryofed.mask-offer/1", _OFFER, 2048))

    def _fields(self) -> dict[str, str]:
        return {
            "site": self.site,
            "call": self.call.hex(),
            "key": self.key.hex(),
            "signature": base64_text(self.signature),
            "identity": base64_text(self.identity),
        }


@dataclass(frozen=True)
class Offers:
    """The aggregator hands every site the offers of all; their hash is in every mask."""

    call: bytes
    offers: tuple[Offer, ...]  # in the roster's order

    @cached_property
    def hash(self) -> bytes:
        """32 bytes."""
        return hashlib.sha256(self.to_bytes()).digest()

    def to_bytes(self) -> bytes:
        """The message."""
        offers = [offer._fields() for offer in self.offers]
        return write_document("cryofed.mask-offers/1", {"call": self.call.hex(), "offers": offers})

    @classmethod
    def from_bytes(cls, data: bytes) -> Offers:
        """The message in these bytes; raises `WireError`."""
        return cls(**read_document(data, "cryofed.mask-offers/1", _OFFERS, _MAX_DOCUMENT))


@dataclass(frozen=True, slots=True, eq=False)
class Masked:
    """A site's update under its masks: random words to everyone who lacks one of them."""

    site: str
    call: bytes
    offers: bytes  # 32: hash of the offers that the masks were made from
    words: Words  # (numbers + 1,); the last one is the weight

    def to_bytes(self) -> bytes:
        """The message: magic, length of the header (4 bytes, big-endian), header, little-endian words."""
        payload = np.ascontiguousarray(self.words, "<u8").view(np.uint8).data
        header = write_document(
            "cryofed.masked/1",
            {
                "site": self.site,
                "call": self.call.hex(),
                "offers": self.offers.hex(),
                "words": len(self.words),
                "sha256": hashlib.sha256(payload).hexdigest(),
            },
        )
        return b"".join((_MAGIC, len(header).to_bytes(4, "big"), header, payload))

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, words: int) -> Masked:
        """The message in these bytes, which must hold exactly so many words; raises `WireError`."""
        view = memoryview(data)
        if len(view) > len(_MAGIC) + 4 + _MAX_HEADER + 8 * words:
            raise WireError("size", f"{len(view)} bytes are too many for {words} words")
        if view[:8] != _MAGIC or len(view) < 12:
            raise WireError("format", "not a masked update")
        end = 12 + int.from_bytes(view[8:12], "big")
        if end > min(len(view), 12 + _MAX_HEADER):
            raise WireError("format", "the header's length does not fit")
        header = read_document(bytes(view[12:end]), "cryofed.masked/1", _MASKED, _MAX_HEADER)
        payload = view[end:]
        if header.pop("words") != words or len(payload) != 8 * words:
            raise WireError("length", f"{len(payload)} bytes, {words} words were called for")
        if hashlib.sha256(payload).digest() != header.pop("sha256"):
            raise WireError("hash", "the words are not those that were sent")
        return cls(words=np.frombuffer(payload, "<u8"), **header)


@dataclass(frozen=True, slots=True)
class Complete:
    """The aggregator says that every site of the roster has sent its masked update."""

    call: bytes
    offers: bytes

    def to_bytes(self) -> bytes:
        """The message."""
        fields = {"call": self.call.hex(), "offers": self.offers.hex()}
        return write_document("cryofed.mask-complete/1", fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> Complete:
        """The message in these bytes; raises `WireError`."""
        fields = {"call": _HASH, "offers": _HASH}
        return cls(**read_document(data, "cryofed.mask-complete/1", fields, 1024))


@dataclass(frozen=True, slots=True)
class Opening:
    """A site opens its own mask, of one attempt alone; the pairwise masks cancel in the sum."""

    site: str
    call: bytes
    seed: bytes  # 32

    def to_bytes(self) -> bytes:
        """The message."""
        fields = {"site": self.site, "call": self.call.hex(), "seed": self.seed.hex()}
        return write_document("cryofed.mask-opening/1", fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> Opening:
        """The message in these bytes; raises `WireError`."""
        fields = {"site": text(), "call": _HASH, "seed": _HASH}
        return cls(**read_document(data, "cryofed.mask-opening/1", fields, 1024))


_HASH = hexadecimal(32)
_CALL: Mapping[str, Reader] = {
    "campaign": _HASH,
    "round_number": whole(1, _MAX_NUMBER),
    "attempt": whole(1, _MAX_NUMBER),
    "model": _HASH,
    "roster": items(text(), MAX_SITES),
    "numbers": whole(1, _MAX_NUMBER),
    "fraction_bits": whole(1, 62),
}
_OFFER: Mapping[str, Reader] = {
    "site": text(),
    "call": _HASH,
    "key": _HASH,
    "signature": blob(512),
    "identity": blob(1024),
}
_MASKED: Mapping[str, Reader] = {
    "site": text(),
    "call": _HASH,
    "offers": _HASH,
    "words": whole(2, _MAX_NUMBER),
    "sha256": _HASH,
}


def _one_offer(value: Any) -> Offer:
    return Offer(**record(_OFFER)(value))


_OFFERS: Mapping[str, Reader] = {"call": _HASH, "offers": items(_one_offer, MAX_SITES)}
