"""What a federation has agreed: frozen nouns, and what each number may be."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

from cryofed.federation.agreement.rules import GuardRules
from cryofed.schema.fields import NAME, NAME_REMEDY, inner, number, switch, word

T = TypeVar("T")
PROFILES = ("open", "masked", "attested", "attested-masked")
SITES = "sites"  # of `[attestation]`: what the sites must prove


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledSite:
    """A site that may take part."""

    name: str = word("", "lower-case letters, digits and hyphens", pattern=NAME, remedy=NAME_REMEDY)
    max_examples: int = number(
        0, "labelled averages that the site may declare; 0: what counts follows the other sites", most=10**9
    )
    library: str = word("", "embedded engine only: the site's library on this machine")


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyChoice:
    """How updates become the next model; the parameters are those of the strategy's own file."""

    name: str = "fedavg"
    parameters: Mapping[str, float | int | str | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRules:
    """When a round starts, closes and fails."""

    count: int = number(10, "rounds of one campaign", least=1, most=100_000)
    sites_per_round: int = number(0, "sites drawn for each round; 0 asks all")
    min_updates: int = number(2, "quorum: accepted updates below which a round fails", least=1)
    deadline_s: float = number(3600.0, "seconds after which a round closes whoever is missing", least=0.1)
    grace_s: float = number(60.0, "seconds that late sites get once the quorum is there")
    retries: int = number(2, "times that a round without quorum is tried again")
    patience: int = number(0, "rounds without a better held-out AUC before an early stop; 0 never stops")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTraining:
    """What each site does in one round."""

    steps: int = number(30, "batches per round", least=1, most=10_000)
    batch: int = number(64, "averages per batch", least=1, most=4096)
    learning_rate: float = number(
        1e-4,
        "of the optimizer; 0.003 for the head, 0.0001 for all of a good model, 0.001 for an untrained one",
        least=1e-9,
        most=10,
    )
    last_rate: float = number(0.05, "share of it in the last round; 1 = constant, 0.05 settles", most=1)
    weight_decay: float = number(1e-2, "of AdamW")
    optimizer: str = word("adamw", "of local training", choices=("adamw", "sgd"))
    part: str = word("all", "of the model that is trained; the head alone is fast", choices=("all", "head"))
    feature_dropout: float = number(0.5, "share of averages whose table features are hidden", most=1)
    augment: bool = switch(True, "quarter turns and flips")


# A trained model needs no more (docs/real-federation.md).
HEAD_ALONE = LocalTraining(steps=20, learning_rate=3e-3, part="head")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRules:
    """What an update must fulfil before any arithmetic."""

    max_norm: float = number(
        100.0, "an update whose change of the model has a larger Euclidean norm is refused", least=1e-9
    )
    times_median: float = number(
        4.0,
        "times the round's middle site that one counts for, or moves the model, at most; 0: no such bound",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """When a candidate becomes the release."""

    metric: str = word("auc", "what must not fall", choices=("auc", "brier"))
    pooled_tolerance: float = number(0.0, "fall of the pooled metric that is still accepted", most=1)
    site_tolerance: float = number(0.01, "fall at any one site that is still accepted", most=1)
    min_cell: int = number(10, "good and bad held-out averages below which a site reports nothing", least=1)
    min_sites: int = number(1, "sites that must report for a promotion", least=1)
    times_median: float = number(
        2.0, "times the middle site's held-out averages that one site counts for, at most; 0: any"
    )
    keep: float = number(0.0, "share of the current release that is mixed into the candidate", most=0.99)
    cross_site: bool = switch(False, "every site evaluates every site's model; each sees the others'")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRules:
    """Where the aggregator of a real engine listens."""

    host: str = word("localhost", "name by which the sites reach the aggregator")
    port: int = number(8102, "one port for everything", least=1, most=65535)
    host_names: str = word("127.0.0.1", "other names and addresses of the aggregator, between blanks")
    organization: str = word("coordinator", "who runs the aggregator; letters, digits and _")
    certificate_days: int = number(90, "how long a certificate is valid", least=1, most=3650)
    authority_days: int = number(
        730, "how long the federation's root certificate is valid", least=1, most=3650
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One federation's agreement; its hash is in every order, report and release."""

    name: str = word("cryofed", "of the federation", pattern=NAME, remedy=NAME_REMEDY)
    engine: str = word("embedded", "who carries the vectors")
    profile: str = word("open", "who may see an update; see docs/agreement.md", choices=PROFILES)
    tracking: str = word("none", "where round reports are sent, too", choices=("none", "mlflow"))
    seed: int = number(1, "of site sampling and local training", most=2**63 - 1)
    rounds: RoundRules = RoundRules()
    strategy: StrategyChoice = StrategyChoice()
    training: LocalTraining = LocalTraining()
    admission: AdmissionRules = AdmissionRules()
    guard: GuardRules = field(default_factory=GuardRules)
    gate: GateRules = GateRules()
    network: NetworkRules = NetworkRules()
    sites: tuple[EnrolledSite, ...] = ()
    attestation: Mapping[str, Any] = inner(dict)  # what may run: `trust.attestation.policy`
    tables: Mapping[str, Any] = inner(dict)  # each engine's own, by its name

    @property
    def hash(self) -> str:
        """SHA-256 over all that decides what becomes of the model.

        Not in it: comments, order in the file, places on a disk, tracking, and how the vectors are carried
        (engine, its table, the network): a campaign goes on at another address, or on another engine.
        """
        agreed = _plain(self) | {"strategy": [self.strategy.name, dict(self.strategy.parameters)]}
        for name in ("tracking", "engine", "network", "tables"):
            del agreed[name]
        agreed["sites"] = [[site.name, site.max_examples] for site in self.sites]
        return hashlib.sha256(json.dumps(agreed, sort_keys=True).encode()).hexdigest()

    @property
    def masked(self) -> bool:
        """Whether sites send their updates under masks."""
        return self.profile in ("masked", "attested-masked")

    @property
    def attested(self) -> bool:
        """Whether the aggregator proves what it runs before a site sends anything."""
        return self.profile in ("attested", "attested-masked")

    @property
    def sites_attest(self) -> bool:
        """Whether each site proves what it runs before it is asked for anything."""
        return SITES in self.attestation

    @property
    def names_keys(self) -> bool:
        """Whether the agreement names each member's key: masks and evidence are bound to it."""
        return self.profile != "open" or self.sites_attest

    def table(self, kind: type[T]) -> T:
        """An engine's own table; its defaults where the plan has none."""
        return next((one for one in self.tables.values() if isinstance(one, kind)), None) or kind()

    def learning_rate(self, round_number: int) -> float:
        """Of local training in a round (from 1): a half cosine from all of it to the share `last_rate`.

        Sites that differ pull the common model to and fro; it settles only as the rate falls (Li et al.,
        On the convergence of FedAvg on non-IID data, ICLR 2020, theorem 2 and section 4).
        """
        training, last = self.training, max(1, self.rounds.count - 1)
        fallen = (1 - math.cos(math.pi * min(round_number - 1, last) / last)) / 2
        return training.learning_rate * (1 - (1 - training.last_rate) * fallen)

    @property
    def site_names(self) -> tuple[str, ...]:
        """Names of the enrolled sites, sorted."""
        return tuple(sorted(site.name for site in self.sites))

    def site(self, name: str) -> EnrolledSite | None:
        """The enrolled site of this name."""
        return next((site for site in self.sites if site.name == name), None)


# What a new plan says, unless more is asked for. Its releases tell less of who took part (docs/security.md).
# It goes a quarter of the way, or jobs of molecules that no site has are lost: docs/real-federation.md.
USUAL = Plan(
    rounds=RoundRules(count=4),
    training=HEAD_ALONE,
    guard=GuardRules(project_share=0.33),
    gate=GateRules(keep=0.75),
)
WHOLE = Plan()  # every layer, every project: what an untrained model needs


def _plain(noun: Any) -> dict[str, Any]:
    """As a table, where a number that may have a fraction is written so: 300 and 300.0 are one plan."""
    plain: dict[str, Any] = {}
    for rule in fields(noun):
        value = getattr(noun, rule.name)
        if is_dataclass(value):
            plain[rule.name] = _plain(value)
        elif isinstance(value, Mapping):
            plain[rule.name] = dict(value)
        else:
            plain[rule.name] = float(value) if isinstance(rule.default, float) else value
    return plain
