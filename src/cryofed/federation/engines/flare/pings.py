"""Is this site's process there? Only the aggregator can ask, and only the site itself can answer.

A segment has one secret, of which each site gets what it makes with the site's name: nobody else knows that.
FLARE tells where a message comes from in words that its sender writes, so nothing here depends on them.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.shareable import Shareable, make_reply

ALIVE = "cryofed.alive"  # the topic
_NONCE, _PROOF = "nonce", "proof"  # in the question; the proof is in the answer too
_READY, _STARTS = "ready", "starts"  # what an answer can say of the learner
_LONGEST = 100  # characters of what a stranger sends


def new_secret() -> str:
    """A segment's."""
    return secrets.token_hex(32)


def secret_of(site: str, segment: str) -> str:
    """A site's, from that of the segment."""
    return _proof(segment, "site", site)


@dataclass(frozen=True, slots=True)
class Question:
    """One ping to one site, never asked again: an answer that was recorded fits no other."""

    secret: str  # the site's
    nonce: str

    def request(self) -> Shareable:
        """What is sent."""
        request = Shareable()
        request[_NONCE], request[_PROOF] = self.nonce, _proof(self.secret, "asked", self.nonce)
        return request

    def answered(self, reply: Shareable | None) -> bool | None:
        """Whether the learner is warm; None where the site did not answer this question."""
        if reply is None or reply.get_return_code() != ReturnCode.OK:
            return None
        said = _word(reply.get(_PROOF))
        for word in (_READY, _STARTS):
            if hmac.compare_digest(said, _proof(self.secret, word, self.nonce).encode()):
                return word == _READY
        return None


def new_question(secret: str) -> Question:
    """With a nonce of its own."""
    return Question(secret, secrets.token_hex(16))


def answer_to(request: Shareable, secret: str, *, ready: bool) -> Shareable:
    """What a site says to whoever asks: nothing, unless it is the aggregator."""
    nonce = _word(request.get(_NONCE)).decode()
    if not secret or not hmac.compare_digest(
        _word(request.get(_PROOF)), _proof(secret, "asked", nonce).encode()
    ):
        return make_reply(ReturnCode.BAD_REQUEST_DATA)
    reply = make_reply(ReturnCode.OK)
    reply[_PROOF] = _proof(secret, _READY if ready else _STARTS, nonce)
    return reply


def _proof(secret: str, word: str, text: str) -> str:
    return hmac.new(secret.encode(), f"{word} {text}".encode(), "sha256").hexdigest()


def _word(text: object) -> bytes:
    """Fit to be compared, whatever it was."""
    return text[:_LONGEST].encode(errors="replace") if isinstance(text, str) else b""
