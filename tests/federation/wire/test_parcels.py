"""What was packed comes back; anything else is refused before the vector is read."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryofed.errors import WireError
from cryofed.federation.wire.codecs import encode
from cryofed.federation.wire.parcels import (
    MAGIC,
    UPDATE_SCHEMA,
    canonical,
    pack,
    pack_update,
    unpack,
    unpack_update,
)
from cryofed.federation.wire.updates import Update


def update() -> Update:
    return Update(
        site="site-1",
        round_number=3,
        model_hash="a" * 64,
        layout_hash="b" * 64,
        vector=np.array([1, -2, 0.5], np.float32),
        examples=120,
        steps=50,
        metrics={"loss": 0.25},
    )


def packed() -> bytes:
    return pack_update(update(), encode(update().vector, "float32"))


def test_an_update_comes_back_as_it_was_packed() -> None:
    got = unpack_update(packed(), 3)
    assert got.vector.tolist() == [1, -2, 0.5]
    for name in ("site", "round_number", "model_hash", "layout_hash", "examples", "steps", "metrics"):
        assert getattr(got, name) == getattr(update(), name)


def test_equal_updates_have_equal_bytes() -> None:
    assert packed() == packed()
    assert canonical({"b": 1, "a": 2}) == b'{"a":2,"b":1}'


def test_a_message_longer_than_its_layout_allows_is_refused_unread() -> None:
    with pytest.raises(WireError, match="size"):
        unpack_update(packed() + bytes(100_000), 3)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("examples", -1, "bound"),
        ("examples", 1.5, "schema"),
        ("examples", True, "schema"),
        ("steps", 2**60, "bound"),
        ("site", "x" * 500, "schema"),
        ("site", "a\nb", "schema"),
        ("codec", "pickle", "codec"),
        ("metrics", {"path": 1.0}, "schema"),
        ("metrics", {"loss": 1}, "schema"),
        ("extra", 1, "schema"),
        ("schema", "cryofed.update/2", "schema"),
    ],
)
def test_a_wrong_header_field_is_refused(field: str, value: object, code: str) -> None:
    data = packed()
    length = int.from_bytes(data[8:12], "big")
    header = json.loads(data[12 : 12 + length]) | {field: value}
    text = json.dumps(header).encode()
    with pytest.raises(WireError) as caught:
        unpack_update(MAGIC + len(text).to_bytes(4, "big") + text + data[12 + length :], 3)
    assert caught.value.code == code


def test_nan_in_a_metric_is_refused() -> None:
    data = packed().replace(b'"loss":0.25', b'"loss":NaN,')  # the same number of bytes plus one
    data = data[:8] + (int.from_bytes(data[8:12], "big")).to_bytes(4, "big") + data[12:]
    with pytest.raises(WireError, match="format"):
        unpack_update(data, 3)


def test_a_changed_payload_is_refused() -> None:
    data = bytearray(packed())
    data[-1] ^= 1
    with pytest.raises(WireError, match="hash"):
        unpack_update(bytes(data), 3)


def test_packing_refuses_what_unpacking_would_refuse() -> None:
    with pytest.raises(WireError, match="schema"):
        pack({"schema": UPDATE_SCHEMA}, b"")


@given(st.binary(max_size=300))
def test_no_bytes_make_unpacking_fail_in_another_way(data: bytes) -> None:
    for start in (b"", MAGIC, MAGIC + b"\0\0\0\2{}"):
        with pytest.raises(WireError):
            unpack(start + data, UPDATE_SCHEMA, 10_000)
