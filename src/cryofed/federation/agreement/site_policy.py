"""The site's policy file: what leaves is the site's decision, written down where its owner can read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryofed.errors import InputError
from cryofed.federation.agreement.rules import GuardRules
from cryofed.schema.fields import number, word
from cryofed.schema.reading import noun_of, read_toml
from cryofed.schema.writing import table_of

OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRules:
    """The `[answers]` table: what the site tells the gate and the statistics, and how often.

    Every answer is about the site's held-out averages, and many answers about few averages give single ones
    away. A question that was answered before, of the same models and the same averages, costs nothing.
    """

    min_cell: int = number(10, "good and bad averages below which nothing is told; a plan can ask more", 1)
    max_models: int = number(
        2, "different models that one campaign may have evaluated at its gate: candidate and current release"
    )
    max_queries: int = number(12, "answers to gate and statistics in one campaign")
    max_queries_a_day: int = number(500, "answers in 24 hours over all campaigns, those of rounds included")
    noise: float = number(
        0.0,
        "where guard.private holds: noise of the gate's answers over their sensitivity, charged to the "
        "ledger; 0 answers no gate. Statistics of a private site never leave",
        most=1e6,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRules:
    """The `[work]` table: the most that a plan may have this site do in one round."""

    max_steps: int = number(2000, "local training steps", 1)
    max_batch: int = number(1024, "averages per batch", 1)
    max_learning_rate: float = number(0.1, "of local training", 1e-9)
    optimizers: str = word("adamw sgd", "that a plan may choose, between blanks")
    max_seconds: float = number(7200.0, "of training; a longer one ends and nothing is sent", 1)

    @property
    def allowed(self) -> tuple[str, ...]:
        """The optimizers by name."""
        return tuple(self.optimizers.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePolicy:
    """All that a policy file may hold."""

    guard: GuardRules = field(default_factory=GuardRules)
    answers: AnswerRules = field(default_factory=AnswerRules)
    work: WorkRules = field(default_factory=WorkRules)


def read_policy(path: Path) -> SitePolicy:
    """The policy in this file; a table or field that is not known is an error.

    Raises:
        InputError: names the file, the field, what was found, and the remedy. A policy that cannot be
            read stops the site: it never falls back to sending more.
    """
    policy = noun_of(SitePolicy, read_toml(path, "policy", "write one with: cryofed site policy write"), path)
    for name in policy.work.allowed:
        if name not in OPTIMIZERS:
            remedy = f"choose among: {', '.join(OPTIMIZERS)}"
            raise InputError(path, "work.optimizers", repr(name[:40]), remedy)
    return policy


def commented_policy(policy: SitePolicy) -> str:
    """The policy as TOML, every field with what it means."""
    lines = [
        "# What may leave this site. A plan can ask for more protection than this, never for less.",
        "# A misspelt table or field stops the site; `cryofed site policy check` finds it.",
        *table_of("guard", policy.guard),
        *table_of("answers", policy.answers),
        *table_of("work", policy.work),
    ]
    return "\n".join(lines) + "\n"
