"""Codecs keep what they promise, and no byte string makes the decoder do anything but answer or refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryofed.errors import WireError
from cryofed.federation.wire.codecs import CODECS, Encoded, compress, decode, encode


def vector(n: int = 4099) -> np.ndarray:
    return (np.random.default_rng(1).standard_normal(n) * 1e-3).astype(np.float32)


# Largest error per number: float16 has 11 bits; a block's 8 bits round to half of 1/127 of its largest.
@pytest.mark.parametrize(
    ("codec", "relative"), [("float32", 0.0), ("float16", 2.0**-11), ("int8", 0.5 / 127)]
)
def test_a_codec_returns_every_number_within_its_rounding(codec: str, relative: float) -> None:
    sent = vector()
    got = decode(encode(sent, codec), len(sent))
    assert np.abs(got - sent).max() <= relative * np.abs(sent).max() * 1.0001


def test_bytes_of_each_codec_per_float32_byte() -> None:
    n = 500_000
    sizes = {codec: len(encode(vector(n), codec).payload) / (4 * n) for codec in CODECS}
    assert sizes["float16"] == pytest.approx(1 / 2, abs=1e-4)
    assert sizes["int8"] == pytest.approx((1 + 4 / 256) / 4, abs=1e-4)
    assert sizes["topk"] == pytest.approx(1 / 32 + 0.3 * (1 + 4 / 256) / 4, abs=1e-4)  # 0.1074
    assert sizes["topk"] < 1 / 8


def test_topk_sends_the_largest_and_keeps_the_rest_for_the_next_round() -> None:
    sent = np.array([3, -1, 0.5, -4, 0, 0, 0, 0, 0, 0], np.float32)
    encoded, left = compress(sent, "topk", 0.2)
    np.testing.assert_allclose(decode(encoded, 10)[[0, 3]], [3, -4], atol=4 / 127)
    assert left[1] == -1
    assert left[2] == 0.5
    encoded, left = compress(left, "topk", 0.2)
    np.testing.assert_allclose(decode(encoded, 10)[[1, 2]], [-1, 0.5], atol=1 / 127)
    assert np.abs(left).max() <= 0.5 / 127 * 4


def test_with_error_feedback_the_sum_of_what_was_sent_is_the_sum_of_what_was_wanted() -> None:
    wanted, sent, residual = np.zeros(1000), np.zeros(1000), np.zeros(1000, np.float32)
    rng = np.random.default_rng(2)
    for _ in range(20):
        update = rng.standard_normal(1000).astype(np.float32)
        encoded, residual = compress(update + residual, "topk", 0.1)
        wanted += update
        sent += decode(encoded, 1000)
    np.testing.assert_allclose(sent + residual, wanted, atol=1e-4)  # float32 sums of 20 terms of order 1


@pytest.mark.parametrize("codec", CODECS)
def test_a_payload_for_another_length_is_refused(codec: str) -> None:
    payload = bytes(encode(vector(1000), codec).payload)
    for wrong in (payload[:-1], payload + b"\0", b""):
        with pytest.raises(WireError, match="bytes"):
            decode(Encoded(codec, wrong), 1000)


def test_nan_is_refused_in_every_codec_that_can_hold_one() -> None:
    nan = np.full(8, np.nan, "<f4").tobytes()
    with pytest.raises(WireError, match="not-finite"):
        decode(Encoded("float32", nan), 8)
    one = np.ones(1, "<f4").tobytes()
    with pytest.raises(WireError, match="bound"):
        decode(Encoded("float16", one + np.full(8, np.nan, "<f2").tobytes()), 8)
    for scale in (np.nan, np.inf, -1, 3e38):
        with pytest.raises(WireError, match="bound"):
            decode(Encoded("int8", np.array([scale], "<f4").tobytes() + bytes(8)), 8)


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(WireError, match="codec"):
        decode(Encoded("pickle", b""), 8)


@given(codec=st.sampled_from(sorted(CODECS)), payload=st.binary(max_size=200), size=st.integers(0, 100))
def test_no_bytes_make_the_decoder_fail_in_another_way(codec: str, payload: bytes, size: int) -> None:
    try:
        got = decode(Encoded(codec, payload), size)
    except WireError:
        return
    assert got.shape == (size,)
    assert got.dtype == np.float32
    assert np.isfinite(got).all()
