"""Whether a round goes on, closes or fails: a pure function of who answered and how long ago."""

from __future__ import annotations

from dataclasses import dataclass

from cryofed.federation.agreement.plan import RoundRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A round as it stands; times in seconds since the sites were asked."""

    asked: int
    accepted: int
    gone: int  # refused or lost
    elapsed_s: float
    quorum_at_s: float | None  # when the quorum was reached


def needed(rules: RoundRules, asked: int) -> int:
    """Updates that make the quorum; a strategy that asks fewer sites than it is content with those."""
    return min(rules.min_updates, asked)


def seconds_left(standing: Standing, rules: RoundRules) -> float:
    """How long to wait for another answer; 0 when the round is over, for better or worse."""
    if standing.accepted + standing.gone >= standing.asked:
        return 0.0
    if standing.asked - standing.gone < needed(rules, standing.asked):
        return 0.0  # the quorum is out of reach
    end = rules.deadline_s
    if standing.quorum_at_s is not None:
        end = min(end, standing.quorum_at_s + rules.grace_s)
    return max(0.0, end - standing.elapsed_s)
