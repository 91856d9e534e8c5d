"""The messages: whole through their bytes, and refused in any other form."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trust.masks.sites import first_call, group, sent, updates

from cryofed.errors import WireError
from cryofed.trust.masks.messages import Call, Complete, Masked, Offer, Offers, Opening

READERS: tuple[Callable[[bytes], object], ...] = (
    Call.from_bytes,
    Offer.from_bytes,
    Offers.from_bytes,
    Complete.from_bytes,
    Opening.from_bytes,
    lambda data: Masked.from_bytes(data, 11),
)


@pytest.fixture
def messages(tmp_path: Path) -> dict[str, Any]:
    sites, rules = group(tmp_path, 3, numbers=10)
    call = first_call(rules, sites)
    offers, masked = sent(sites, call, rules, *updates(3, 10))
    complete, opening = Complete(call.hash, offers.hash), sites[0].opening(call, offers)
    return {
        "call": call, "offer": offers.offers[0], "offers": offers,
        "complete": complete, "opening": opening, "masked": masked[0],
    }  # fmt: skip


def test_every_message_survives_its_bytes(messages: dict[str, Any]) -> None:
    for name in ("call", "offer", "offers", "complete", "opening"):
        message = messages[name]
        assert type(message).from_bytes(message.to_bytes()) == message
    masked = messages["masked"]
    again = Masked.from_bytes(masked.to_bytes(), 11)
    assert again.to_bytes() == masked.to_bytes()


def test_a_masked_update_has_twice_the_bytes_of_float32(messages: dict[str, Any]) -> None:
    assert len(messages["masked"].to_bytes()) < 8 * 11 + 500


def test_no_message_has_room_for_a_pairwise_secret() -> None:
    fields = {
        name for kind in (Call, Offer, Offers, Masked, Complete, Opening) for name in kind.__annotations__
    }
    assert fields == {
        "campaign", "round_number", "attempt", "model", "roster", "numbers", "fraction_bits",
        "site", "call", "key", "signature", "identity", "offers", "words", "seed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("call", {"roster": ["b", "a"]}, "not two or more sites in order"),
        ("call", {"roster": ["a"]}, "not two or more"),
        ("call", {"roster": ["a", "a"]}, "each once"),
        ("call", {"attempt": 0}, "attempt: not a whole number from 1"),
        ("call", {"attempt": True}, "attempt: not a whole number"),
        ("call", {"model": "AA" * 32}, "lower-case"),
        ("call", {"extra": 1}, "missing or unknown"),
        ("call", {"schema": "cryofed.mask-call/2"}, "not a cryofed.mask-call/1"),
        ("offer", {"site": "a\nb"}, "printable"),
        ("offer", {"signature": "*"}, "signature"),
        ("offers", {"offers": [1]}, "not a table"),
        ("opening", {"seed": "00"}, "seed: not 32 bytes"),
    ],
)
def test_a_changed_message_is_refused(
    messages: dict[str, Any], name: str, change: dict[str, Any], words: str
) -> None:
    document = json.loads(messages[name].to_bytes()) | change
    raw = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(WireError, match=words):
        type(messages[name]).from_bytes(raw)


def test_every_changed_byte_of_a_masked_update_is_refused(messages: dict[str, Any]) -> None:
    raw = messages["masked"].to_bytes()
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1
        try:
            found = Masked.from_bytes(bytes(changed), 11)
        except WireError:
            continue
        # What is left is another well-formed text in the header; check_masked compares it.
        assert (found.site, found.call, found.offers) != (
            messages["masked"].site, messages["masked"].call, messages["masked"].offers,
        )  # fmt: skip
    for end in (0, 7, 11, 12, 40, len(raw) - 8, len(raw) - 1):
        with pytest.raises(WireError):
            Masked.from_bytes(raw[:end], 11)
    with pytest.raises(WireError, match="length"):
        Masked.from_bytes(raw, 12)
    with pytest.raises(WireError, match="size"):
        Masked.from_bytes(raw + bytes(10_000), 11)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_bytes_of_any_kind_are_refused_in_one_way(data: bytes) -> None:
    for read in READERS:
        with pytest.raises(WireError):
            read(data)
