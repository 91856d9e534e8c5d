"""The one way out of a site: what leaves is held against the agreement, and written down before it goes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryofed.disk.chain import PREVIOUS, Record, add_record, head, read_sealed
from cryofed.disk.documents import read_document, write_document
from cryofed.errors import (
    AgreementError,
    CodedError,
    CryoFedError,
    GuardError,
    InputError,
    TrainingError,
    WireError,
)
from cryofed.federation.agreement.agreed import FAILURE_SCHEMA, Agreement, Outlet
from cryofed.federation.wire.bounds import is_code
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Answer, unpack_numbers
from cryofed.federation.wire.parcels import NUMBERS_SCHEMA, unpack

AUDIT = "audit.jsonl"
HEARD = "acknowledged.json"  # beside it: what the aggregator has acknowledged last


@dataclass(frozen=True, slots=True)
class Outbox:
    """Of one site."""

    folder: Path
    destination: str  # host and port of the aggregator
    agreement: Agreement | None  # that the site has accepted; None: nothing but a failure may leave

    @property
    def path(self) -> Path:
        """The audit: a line for every message, which seals all lines before it."""
        return self.folder / AUDIT

    def seal(self) -> str:
        """Over all records so far."""
        return head(self.path)

    def hear(self, acknowledged: str | None) -> None:
        """Keep what the aggregator acknowledges: with it a cut or rewritten audit is noticed.

        Raises:
            InputError: the audit was altered.
        """
        if acknowledged is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_document(self.folder / HEARD, {"update": acknowledged})
        if not any(one.acknowledged_as == acknowledged for one in read_audit(self.folder)):
            raise InputError(self.path, "records", MISSING, RESTORE)

    def release(self, answer: Answer, order: Buffer, facts: Mapping[str, Any]) -> None:
        """Let an answer go: checked, then written down; on the disk when this returns.

        Args:
            answer: that would leave.
            order: that it answers, as it came.
            facts: the guard's rules in force, and what privacy was spent so far.

        Raises:
            AgreementError: `egress`: the agreement has no such message.
            InputError: the audit was altered; nothing may leave.
        """
        schema, task = FAILURE_SCHEMA, "any"
        if answer.data:
            outlet = leaving(answer.data, self.agreement.egress if self.agreement else ())
            schema, task = outlet.schema, outlet.task
        elif not is_code(answer.failure):
            raise AgreementError("egress", "a failure is a word of at most 64 letters")
        record = {
            "schema": schema,
            "task": task,
            "failure": answer.failure,
            "bytes": len(answer.data) or len(answer.failure),
            "sha256": hashlib.sha256(answer.data or answer.failure.encode()).hexdigest(),
            "order": hashlib.sha256(order).hexdigest(),
            "destination": self.destination,
            "agreement": self.agreement.version if self.agreement else 0,
            "agreement_hash": self.agreement.hash if self.agreement else "",
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            **facts,
        }
        add_record(self.path, lambda _: record)

    @contextmanager
    def failures(self, order: Buffer) -> Iterator[None]:
        """Write down, too, what is answered to an order that was not even looked at."""
        try:
            yield
        except CryoFedError as error:
            code = failure_code(error)
            self.release(Answer(site="", failure=code), order, {"guard": None, "privacy": None})
            raise


def failure_code(error: CryoFedError) -> str:
    """What travels of an error: a word; the site's own log has the rest."""
    words = {WireError: "site", GuardError: "guard", AgreementError: "agreement"}
    if isinstance(error, CodedError):
        return f"{words[type(error)]}-{error.code}"
    return "no_training" if isinstance(error, TrainingError) else "site_error"


@dataclass(frozen=True, slots=True)
class Sent:
    """One record of the audit, and the seal that stands before it."""

    facts: Record
    before: str

    @property
    def acknowledged_as(self) -> str:
        """What the aggregator says once it has accepted this message; see `wire.parcels.acknowledgement`."""
        return hashlib.sha256(f"{self.facts.get('sha256')}{self.before}".encode()).hexdigest()


def read_audit(folder: Path) -> list[Sent]:
    """All records, oldest first.

    Raises:
        InputError: a line was altered, taken out or put in.
    """
    records = read_sealed(folder / AUDIT)
    return [Sent({k: v for k, v in one.items() if k != PREVIOUS}, str(one[PREVIOUS])) for one in records]


def check_audit(folder: Path) -> str:
    """Hold the audit against itself and the last acknowledgement; its seal.

    Raises:
        InputError: it was altered, or its end was cut off.
    """
    records, heard = read_audit(folder), folder / HEARD
    if heard.exists():
        last = str(read_document(heard)["update"])
        if not any(one.acknowledged_as == last for one in records):
            raise InputError(folder / AUDIT, "records", MISSING, RESTORE)
    return head(folder / AUDIT)


def leaving(data: Buffer, egress: Sequence[Outlet]) -> Outlet:
    """The agreement's own kind of this message.

    Raises:
        AgreementError: `egress`: there is none, it is too long, or has a field or number that is not agreed.
    """
    why = "not a message of this agreement"
    for outlet in egress:
        try:
            header = unpack(data, outlet.schema, outlet.most_bytes).header
            numbers: Mapping[str, Any] = header.get("metrics", {})
            if outlet.schema == NUMBERS_SCHEMA:
                numbers = unpack_numbers(data).values
        except WireError as error:
            why = str(error) if error.code != "schema" else why
            continue
        if header.get("task", outlet.task) != outlet.task:
            continue
        odd = sorted({*header} ^ {*outlet.fields}) + sorted({*numbers} - {*outlet.numbers})
        if odd:
            raise AgreementError("egress", f"{outlet.task}: {odd[0][:60]!r} is not agreed on")
        return outlet
    raise AgreementError("egress", why)


MISSING = "the update that the aggregator acknowledged last is not there: lines were cut off or rewritten"
RESTORE = "restore the file from a backup, and ask who had access to it"
