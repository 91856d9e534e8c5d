"""What is asked of every update: by the plan, and by the site's own policy, of which the stricter wins."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from cryofed.federation.wire.codecs import CODECS
from cryofed.schema.fields import number, switch, word

MASKS = ("none", "pairwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRules:
    """The `[guard]` table of a plan (what it asks at least) and of a site's policy (what it insists on)."""

    min_examples: int = number(
        32, "different averages in a round's batches, below which the site sends nothing"
    )
    min_steps: int = number(1, "local steps below which the site sends nothing")
    project_share: float = number(
        1.0,
        "share of its projects that a site trains with, drawn in secret; 1: all",
        least=0.01,
        most=1,
    )
    max_norm: float = number(0.0, "longer updates are shortened to this norm; 0 leaves them")
    private: bool = switch(
        False, "DP-SGD: noise on every training step; costs least with training.part = 'head'"
    )
    noised: bool = switch(
        False, "the same noise, and neither a budget nor a promised epsilon; metrics and gate as without it"
    )
    noise_multiplier: float = number(1.0, "of DP-SGD: noise over clip", most=1e6)
    sample_norm: float = number(1.0, "of DP-SGD: clip of each average's gradient", most=1e6)
    max_epsilon: float = number(8.0, "budget over all campaigns of the library; refused above it; 0 has none")
    send_metrics: bool = switch(
        True, "metrics beside the update; a site's policy without it answers no gate either"
    )
    codec: str = word("float32", "bytes on the wire", tuple(CODECS))
    keep: float = number(0.3, "share of the numbers that codec topk sends", most=1)
    mask: str = word("none", "pairwise masks, so that the aggregator sees only sums", MASKS)


def stricter(plan: GuardRules, site: GuardRules) -> GuardRules:
    """Field by field what protects more: a plan can ask for more than the site's policy, never for less."""
    codec, keep = min((plan.codec, plan.keep), (site.codec, site.keep), key=_bytes)
    chosen: dict[str, Any] = {
        "min_examples": max(plan.min_examples, site.min_examples),
        "min_steps": max(plan.min_steps, site.min_steps),
        "project_share": min(plan.project_share, site.project_share),
        "max_norm": _least_above_zero(plan.max_norm, site.max_norm),
        "private": plan.private or site.private,
        "noised": plan.noised or site.noised,
        # A side's rules of noise count only if that side asks for noise: otherwise they are mere defaults.
        "noise_multiplier": max(_of(plan, site, "noise_multiplier", "private", "noised")),
        "sample_norm": min(_of(plan, site, "sample_norm", "private", "noised")),
        "max_epsilon": _least_above_zero(*_of(plan, site, "max_epsilon", "private")),
        "send_metrics": plan.send_metrics and site.send_metrics,
        "codec": codec,
        "keep": keep,
        "mask": "pairwise" if "pairwise" in (plan.mask, site.mask) else "none",
    }
    assert set(chosen) == {f.name for f in fields(GuardRules)}
    return GuardRules(**chosen)


def _of(plan: GuardRules, site: GuardRules, name: str, *asking: str) -> tuple[float, float]:
    asked = [rules for rules in (plan, site) if any(getattr(rules, one) for one in asking)] or [plan, site]
    return getattr(asked[0], name), getattr(asked[-1], name)


def _least_above_zero(a: float, b: float) -> float:
    return min((value for value in (a, b) if value > 0), default=0.0)


def _bytes(codec: tuple[str, float]) -> tuple[float, float]:
    """Bytes per number, for the order; among equals the smaller share."""
    name, keep = codec
    sizes = {"float32": 4, "float16": 2, "int8": 1 + 4 / 256, "topk": 1 / 8 + keep * (1 + 4 / 256)}
    return sizes[name], keep
