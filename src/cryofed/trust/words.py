"""A fingerprint as twelve English words, which two people can read to each other by telephone.

The words stand for its first 128 bits: to find another key with the same words takes 2^128 trials. The last
word holds a checksum, so that a word that was misheard is noticed at once. The list (BIP-39) has 2,048 words
that differ in their first four letters.
"""

from __future__ import annotations

import re

BITS = 128


def fingerprint_words(fingerprint: str) -> str:
    """The words of `SHA256:AB:CD:…`; of what is none, that it is none."""
    from mnemonic import Mnemonic

    if not re.fullmatch("(SHA256:)?([0-9A-Fa-f]{2}:?){32}", fingerprint):
        return "(this is no fingerprint)"
    digest = bytes.fromhex(fingerprint.removeprefix("SHA256:").replace(":", ""))
    return str(Mnemonic("english").to_mnemonic(digest[: BITS // 8]))


def same_words(spoken: str, fingerprint: str) -> bool:
    """Compare as people type them: case, commas, hyphens and blanks do not matter."""
    return re.findall("[a-z]+", spoken.lower()) == fingerprint_words(fingerprint).split()
