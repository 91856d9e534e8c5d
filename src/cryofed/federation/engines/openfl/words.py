"""The words between aggregator and site: names of tasks, tensors and heads, and the bounds of both sides."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from types import MappingProxyType

from cryofed.errors import FederationError

AGGREGATOR = "aggregator"  # its name in every message
READ, WORK = "read", "work"
# As OpenFL writes tasks in a plan: a site first reads the head, which says how many pieces the order has.
TASKS = MappingProxyType(
    {
        READ: {"function": "read", "kwargs": {}},
        WORK: {"function": "work", "kwargs": {}},
    }
)
HEAD, ANSWER, FAILURE = "head", "answer", "failure"  # tensors; FAILURE holds a code
PIECE = 4 << 20  # bytes of an order that travel in one message
MOST_PIECES = 2048  # 8 GiB that an aggregator may lay on a site's disk
LARGEST_HEAD = 1 << 20
LARGEST_MESSAGE = PIECE + (1 << 20)
SLACK = 1_000_000  # bytes that an answer may be longer than its order

LIFE, VERSION, BEAT = "cryofed-life", "cryofed-version", "cryofed-beat"  # heads of a call

HOLD_S = 2.0  # how long a question for work is held where there is none
BEAT_S = 1.5  # how often a site asks whether its order still counts
SILENT_S = 20.0  # after so long without a call a site is gone; a busy machine is slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where a site finds its aggregator, and what they call each other."""

    host: str  # as the aggregator's certificate names it
    port: int
    site: str  # as the site's certificate names it
    federation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a site reads before it fetches an order."""

    cryofed: str  # the aggregator's version
    plan: str  # that the learner is given with the order
    seconds: float  # after which nobody waits for the answer any more
    size: int  # bytes of the order

    @property
    def pieces(self) -> int:
        """Messages in which the order travels."""
        return -(-self.size // PIECE)


def pack_head(head: Head) -> bytes:
    """The head as bytes."""
    return json.dumps(asdict(head)).encode()


def unpack_head(data: bytes) -> Head | None:
    """The head in these bytes; None where the order has been taken back.

    Raises:
        FederationError: it is none of ours, or announces more than a site takes.
    """
    if not data:
        return None
    try:
        if len(data) > LARGEST_HEAD:
            raise ValueError
        fields = json.loads(data)
        head = Head(**{name: fields[name] for name in Head.__dataclass_fields__})
        kinds = (isinstance(head.cryofed, str), isinstance(head.plan, str), type(head.size) is int)
        if not all(kinds) or not 0 < head.pieces <= MOST_PIECES or not 0 <= float(head.seconds) < math.inf:
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise FederationError("the aggregator's order has no head that this site can read") from None
    return head


def piece_name(index: int) -> str:
    """The tensor of a piece, from 0."""
    return f"piece-{index}"


def failure_in(code: bytes) -> str:
    """The code of what went wrong at a site."""
    word = code[:65].decode("ascii", "replace")
    return word if re.fullmatch(r"[a-z0-9_-]{1,64}", word) else "malformed"


def printable(words: str, most: int = 300) -> str:
    """Words of another machine, fit to be shown in a terminal."""
    return "".join(letter for letter in words[:most] if letter.isprintable())
