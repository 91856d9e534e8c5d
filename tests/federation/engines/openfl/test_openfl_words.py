"""Heads, pieces and codes: whole or refused, whatever their sender says."""

from __future__ import annotations

import json

import pytest

from cryofed.errors import FederationError
from cryofed.federation.engines.openfl import words


@pytest.mark.parametrize(
    ("size", "pieces"), [(1, 1), (words.PIECE, 1), (words.PIECE + 1, 2), (3 * words.PIECE, 3)]
)
def test_a_head_says_in_how_many_pieces_the_order_comes(size: int, pieces: int) -> None:
    head = words.Head(cryofed="1", plan="name = 'a'", seconds=60.0, size=size)
    assert words.unpack_head(words.pack_head(head)) == head
    assert head.pieces == pieces


def test_no_head_means_that_the_order_was_taken_back() -> None:
    assert words.unpack_head(b"") is None


GOOD = {"cryofed": "1", "plan": "a", "seconds": 60.0, "size": 5}
HOSTILE = (
    b"\xff",
    b"[]",
    b"{}",
    b"[" * 100_000,
    b" " * (words.LARGEST_HEAD + 1),
    *(json.dumps(GOOD | odd).encode() for odd in ({"size": 0}, {"size": -1}, {"size": True}, {"size": 1.5})),
    *(json.dumps(GOOD | odd).encode() for odd in ({"size": 9 << 30}, {"plan": 1}, {"cryofed": None})),
    *(
        json.dumps(GOOD | odd).encode()
        for odd in ({"seconds": -1}, {"seconds": "x"}, {"seconds": float("inf")})
    ),
)


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_else_comes_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(FederationError, match="no head that this site can read"):
        words.unpack_head(data)


@pytest.mark.parametrize("code", [b"Traceback in /a/file", b"a" * 65, b"", "ümlaut".encode(), b"\xff"])
def test_a_failure_that_is_no_code_is_not_passed_on(code: bytes) -> None:
    assert words.failure_in(code) == "malformed"
    assert words.failure_in(b"site_crashed") == "site_crashed"
