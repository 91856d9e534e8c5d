"""The federation agreement: who takes part, by which plan, and all that may leave a site."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cryofed import __version__
from cryofed.errors import WireError
from cryofed.federation.agreement.plan import NetworkRules, Plan
from cryofed.federation.agreement.plan_file import commented_plan, plan_of
from cryofed.federation.strategies.registry import make_strategy
from cryofed.federation.wire.bounds import METRICS, MODELS, NUMBERS
from cryofed.federation.wire.orders import MAX_NUMBERS
from cryofed.federation.wire.papers import PROOF_STEPS, SITE_STEP
from cryofed.federation.wire.parcels import FIELDS, MAX_HEADER, NUMBERS_SCHEMA, SEALED_SCHEMA, UPDATE_SCHEMA
from cryofed.schema.reading import parse_toml
from cryofed.scoring.scorer import SHIPPED
from cryofed.trust import documents
from cryofed.trust.attestation.evidence import MAX_BYTES
from cryofed.trust.documents import canonical, hexadecimal, items, record, text, whole

SCHEMA = "cryofed.agreement/1"
LARGEST = 200_000  # bytes of an agreement
FAILURE_SCHEMA = "cryofed.failure/1"  # an answer that is a code and nothing else
FAILURE_BYTES = 64
ROLES = ("coordinator", "aggregator", "site")


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One participant. In the profile `open` keys are renewed without a new agreement, and none is named."""

    name: str
    role: str  # one of `ROLES`
    key: str = "-"  # fingerprint of its public key


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """One kind of message that may leave a site."""

    schema: str
    task: str  # of the order that it answers: train | evaluate | statistics; any
    most_bytes: int
    fields: tuple[str, ...]  # of its header
    numbers: tuple[str, ...]  # by name, that may stand beside or in it


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What the coordinator signs and every site accepts."""

    federation: str
    version: int  # from 1
    previous: str  # hash of the version before; 64 zeros before the first
    made: str  # day and time, UTC
    cryofed: str  # version of the program
    profile: str  # one of `plan.PROFILES`
    authority: str  # fingerprint of the root certificate
    members: tuple[Party, ...]
    plan_toml: str
    layout_hash: str
    parameters: int  # numbers in the model
    order_bytes: int  # that the aggregator may send at once
    egress: tuple[Outlet, ...]

    @cached_property
    def plan(self) -> Plan:
        """The plan, as every field of it was checked."""
        return plan_of(parse_toml(self.plan_toml, "the agreement's plan"), "the agreement's plan")

    @cached_property
    def payload(self) -> bytes:
        """The canonical document."""
        return documents.write_document(SCHEMA, {**asdict(self), "plan_hash": self.plan.hash})

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical document."""
        return hashlib.sha256(self.payload).hexdigest()

    def same_terms(self, other: Agreement) -> bool:
        """Whether nothing differs but version and day."""
        return replace(self, version=other.version, previous=other.previous, made=other.made) == other


def agreement_of(
    plan: Plan, authority: str, last: Agreement | None = None, keys: Mapping[str, str] | None = None
) -> Agreement:
    """The agreement of a plan: `last` itself where its terms are the same, else the next version.

    Args:
        plan: of the federation.
        authority: fingerprint of the root certificate.
        last: the version before.
        keys: fingerprints by name, for the profiles that name them.
    """
    named = keys or {} if plan.names_keys else {}
    people = [("coordinator", "coordinator"), ("aggregator", "aggregator")]
    people += [(name, "site") for name in plan.site_names]
    card = json.loads(SHIPPED.with_name("card.json").read_text())  # of the one network of this version
    size = int(card["parameters"])
    agreement = Agreement(
        federation=plan.name,
        version=last.version + 1 if last else 1,
        previous=last.hash if last else "0" * 64,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        cryofed=__version__,
        profile=plan.profile,
        authority=authority,
        members=tuple(Party(name=name, role=role, key=named.get(name, "-")) for name, role in people),
        plan_toml=agreed_text(plan),
        layout_hash=str(card["layout_sha256"]),
        parameters=size,
        order_bytes=4 * MODELS * size + 32_768,
        egress=egress_of(plan, size),
    )
    return last if last is not None and agreement.same_terms(last) else agreement


def agreed_text(plan: Plan) -> str:
    """The plan without what is not agreed on: addresses, engines' tables, places on a disk."""
    sites = tuple(replace(site, library="") for site in plan.sites)
    return commented_plan(replace(plan, sites=sites, tables={}, network=NetworkRules(), tracking="none"))


def egress_of(plan: Plan, size: int) -> tuple[Outlet, ...]:
    """All that may leave a site under a plan whose model has `size` numbers."""
    channels = make_strategy(plan.strategy.name, plan.strategy.parameters).channels
    beside = () if plan.guard.private or not plan.guard.send_metrics else tuple(sorted(METRICS))
    proofs = [_sealed(task, 32) for task in PROOF_STEPS] if plan.attested else []
    proofs += [_sealed(SITE_STEP, MAX_BYTES)] if plan.sites_attest else []
    if plan.masked:
        largest = {"train": 0, "offer": 4096, "mask": 8 * (channels * size + 1) + 8192, "open": 4096}
        masks = (_sealed(task, most) for task, most in largest.items())
        return (*masks, *proofs, *_numbers(), _failure())
    update = Outlet(
        schema=UPDATE_SCHEMA,
        task="train",
        most_bytes=4 * channels * size + 12 + MAX_HEADER,
        fields=tuple(sorted(FIELDS[UPDATE_SCHEMA])),
        numbers=beside,
    )
    return (update, *proofs, *_numbers(), _failure())


def _sealed(task: str, content: int) -> Outlet:
    fields = tuple(sorted(FIELDS[SEALED_SCHEMA]))
    return Outlet(
        schema=SEALED_SCHEMA, task=task, most_bytes=content + 12 + MAX_HEADER, fields=fields, numbers=()
    )


def _numbers() -> list[Outlet]:
    return [
        Outlet(
            schema=NUMBERS_SCHEMA,
            task=task,
            most_bytes=MAX_NUMBERS,
            fields=tuple(sorted(FIELDS[NUMBERS_SCHEMA])),
            numbers=tuple(sorted(names)),
        )
        for task, names in sorted(NUMBERS.items())
    ]


def _failure() -> Outlet:
    return Outlet(schema=FAILURE_SCHEMA, task="any", most_bytes=FAILURE_BYTES, fields=(), numbers=())


def read_agreement(payload: bytes) -> Agreement:
    """An agreement from another machine, every field checked.

    Raises:
        WireError: not an agreement of this version's form.
        InputError: its plan is none.
    """
    fields = documents.read_document(payload, SCHEMA, _FIELDS, LARGEST)
    plan_hash = fields.pop("plan_hash")
    fields["members"] = tuple(Party(**one) for one in fields["members"])
    fields["egress"] = tuple(Outlet(**one) for one in fields["egress"])
    agreement = Agreement(**fields)
    if agreement.plan.hash != plan_hash.hex() or agreement.plan.name != agreement.federation:
        raise WireError("field", "plan_hash: not that of the plan")
    if agreement.plan.profile != agreement.profile:
        raise WireError("field", "profile: not that of the plan")
    if agreement.payload != payload.strip():
        raise WireError("format", "the plan is not spelled as this version spells it")
    return agreement


def document_of(agreement: Agreement) -> dict[str, Any]:
    """The agreement as a table, for people who compare two."""
    document: dict[str, Any] = json.loads(canonical(asdict(agreement)))
    return document


def _hex_text(size: int) -> Any:
    read = hexadecimal(size)
    return lambda value: read(value).hex()


def _long_text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LARGEST:
        raise ValueError("not a text")
    return value


_NAMES = items(text(), 500)
_FIELDS = {
    "federation": text(),
    "version": whole(1, 10**6),
    "previous": _hex_text(32),
    "made": text(),
    "cryofed": text(),
    "profile": text(),
    "authority": text(),
    "members": items(record({"name": text(), "role": text(), "key": text()}), 10_000),
    "plan_toml": _long_text,
    "plan_hash": hexadecimal(32),
    "layout_hash": _hex_text(32),
    "parameters": whole(1, 10**9),
    "order_bytes": whole(1, 2**40),
    "egress": items(
        record(
            {
                "schema": text(),
                "task": text(),
                "most_bytes": whole(1, 2**40),
                "fields": _NAMES,
                "numbers": _NAMES,
            }
        ),
        20,
    ),
}
