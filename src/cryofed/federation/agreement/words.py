"""An agreement in plain words, and what differs between two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryofed.federation.agreement.agreed import FAILURE_SCHEMA, Agreement, Outlet, Party, document_of
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.wire.parcels import SEALED_SCHEMA
from cryofed.schema.reading import parse_toml
from cryofed.trust.words import fingerprint_words

_PROFILES = {
    "open": "whoever runs the aggregator can read each site's update and numbers",
    "masked": "the aggregator sees only sums of updates",
    "attested": "the aggregator shows evidence of a secure machine before anything is sent",
    "attested-masked": "the aggregator shows such evidence first, and sees only sums of updates even then",
}
_INDENT = " " * 13
_TASKS = {
    "train": "an update: how the model's numbers changed in training here",
    "evaluate": "how well a model does on the held-out averages here",
    "statistics": "how many averages there are, and how their table features spread",
    "offer": "a fresh key, signed, for one round under masks",
    "mask": "an update under masks, of which only the sum of all sites can be read",
    "open": "the seed of the site's own mask, once every site's update is in the sum",
    "challenge": "a random number that the aggregator's chip must sign",
    "evidence": "one word: that the aggregator has proven itself",
    "attest": "what your machine's chip signs, with its maker's certificates: which program, on which chip",
}


def described(agreement: Agreement) -> list[str]:
    """Lines for a person who decides whether to accept."""
    plan, title = agreement.plan, f"Agreement {agreement.version} of the federation {agreement.federation}"
    return [
        f"{title}, {agreement.made[:10]}",
        f"hash {agreement.hash}",
        "",
        "Who takes part",
        *(line for one in agreement.members for line in _member(one)),
        f"  The federation's authority is {agreement.authority}.",
        f"  {_INDENT}{fingerprint_words(agreement.authority)}",
        "",
        "What is done",
        *(f"  {line}" for line in _work(plan)),
        "",
        "What may leave your site, and nothing else",
        *(f"  {line}" for outlet in agreement.egress for line in _leaves(outlet)),
        "  No image, no name of a file, molecule or person, and no path.",
        "",
        "What protects it at least (your own policy.toml may ask for more)",
        *(f"  {line}" for line in _guards(plan)),
        "",
        f"Profile {agreement.profile}",
        f"  {_PROFILES.get(agreement.profile, 'unknown to this version')}",
    ]


def differences(old: Agreement, new: Agreement) -> list[str]:
    """A line for every term that differs: where, before, after."""
    before, after = (dict(_flat(_comparable(one))) for one in (old, new))
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{name}: {before.get(name, 'nothing')} -> {after.get(name, 'nothing')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _spoken(fingerprint: str) -> str:
    return fingerprint if fingerprint == "-" else f"{fingerprint} ({fingerprint_words(fingerprint)})"


def _comparable(agreement: Agreement) -> dict[str, Any]:
    document = document_of(agreement)
    for name in ("version", "previous", "made"):
        del document[name]
    document["plan"] = parse_toml(document.pop("plan_toml"), "the agreement's plan")
    document["plan"]["sites"] = {one["name"]: one for one in document["plan"].get("sites", [])}
    document["members"] = {f"{one['role']} {one['name']}": _spoken(one["key"]) for one in document["members"]}
    document["egress"] = {f"{one['schema']} {one['task']}": one for one in document["egress"]}
    document["authority"] = _spoken(document["authority"])
    return document


def _flat(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _flat(one, f"{where}.{name}" if where else name)
    else:
        yield where, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _work(plan: Plan) -> Iterator[str]:
    training, rounds = plan.training, plan.rounds
    yield f"A campaign is {_some(rounds.count, 'round')} of {plan.strategy.name}."
    yield f"A round counts where {_some(rounds.min_updates, 'site')} or more sent an update."
    yield (
        f"In a round a site trains {_some(training.steps, 'step')} of {_some(training.batch, 'average')} "
        f"({training.optimizer}, learning rate {training.learning_rate:g}, {training.part} of the model)."
    )
    yield f"A new model is released where {plan.gate.metric} does not fall at the sites' held-out averages."
    yield f"The plan's hash is {plan.hash}."


def _leaves(outlet: Outlet) -> Iterator[str]:
    if outlet.schema == FAILURE_SCHEMA:
        yield f"a word of at most {outlet.most_bytes} letters that says why nothing else was sent"
        return
    if outlet.schema == SEALED_SCHEMA and outlet.task == "train":
        yield "one word: that the site has trained; the update stays at home"
        return
    yield f"{_TASKS.get(outlet.task, outlet.task)}; at most {outlet.most_bytes / 1e6:.2f} MB"
    if outlet.numbers:
        shown = sorted(
            {name.split(".")[-1] if name[:1].isdigit() else name.split(":")[0] for name in outlet.numbers}
        )
        yield f"    with the numbers {', '.join(shown)}"


def _some(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _guards(plan: Plan) -> Iterator[str]:
    guard, gate = plan.guard, plan.gate
    least = f"{_some(guard.min_examples, 'average')} or {_some(guard.min_steps, 'step')}"
    yield f"A site with fewer than {least} sends nothing."
    yield f"No metric is told of fewer than {gate.min_cell} good or {gate.min_cell} bad held-out averages."
    if guard.project_share < 1:
        yield (
            f"A site trains with {guard.project_share:.0%} of its projects, more where these have too few "
            "averages. It draws them in secret, so that a release tells less of what it has."
        )
    if guard.max_norm:
        yield f"An update is shortened to the length {guard.max_norm:g}."
    if guard.private:
        yield (
            f"Every step is noised (DP-SGD, noise {guard.noise_multiplier:g} at clip {guard.sample_norm:g}); "
            f"the budget is epsilon {guard.max_epsilon:g}."
        )
    elif guard.noised:
        yield (
            f"Every step is noised (noise {guard.noise_multiplier:g} at clip {guard.sample_norm:g}) without "
            "a budget: this agreement promises no differential privacy."
        )
    else:
        yield "Updates are not noised: this agreement promises no differential privacy."


def _member(one: Party) -> Iterator[str]:
    """Who, and the key's fingerprint in numbers and words, where the profile names keys."""
    yield f"  {one.role:<12} {one.name}{'' if one.key == '-' else f'  {one.key}'}"
    if one.key != "-":
        yield f"  {_INDENT}{fingerprint_words(one.key)}"
