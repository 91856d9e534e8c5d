"""A fingerprint as words: the same key gives the same words, another key others."""

import hashlib

import pytest

from cryofed.trust.keys import fingerprint
from cryofed.trust.words import fingerprint_words, same_words

# The first two test vectors of BIP-39 for 128 bits: all zeros, and 7f repeated.
KNOWN = {
    "00": "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
    "7f": "legal winner thank year wave sausage worth useful legal winner thank yellow",
}


@pytest.mark.parametrize("byte", KNOWN)
def test_the_words_are_those_of_the_published_vectors(byte: str) -> None:
    assert fingerprint_words(fingerprint(bytes.fromhex(byte * 32))) == KNOWN[byte]


def test_words_are_compared_as_people_type_them() -> None:
    print_of = fingerprint(bytes.fromhex("7f" * 32))
    assert same_words(KNOWN["7f"].upper().replace(" ", ", "), print_of)
    assert same_words(KNOWN["7f"].replace(" ", "-") + "\n", print_of)
    assert not same_words(KNOWN["7f"].rsplit(" ", 1)[0], print_of)  # a word is missing
    assert not same_words(KNOWN["7f"].replace("sausage", "saddle"), print_of)
    assert not same_words("", print_of)


def test_keys_that_differ_have_words_that_differ() -> None:
    told = {fingerprint_words(fingerprint(hashlib.sha256(bytes([i])).digest())) for i in range(200)}
    assert len(told) == 200
    assert all(len(words.split()) == 12 for words in told)
