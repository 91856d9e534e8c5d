"""What a site has accepted: agreements under the key that it pinned at joining, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryofed.disk.chain import Record, add_record
from cryofed.disk.whole import write_whole
from cryofed.errors import AgreementError
from cryofed.federation.agreement.agreed import Agreement
from cryofed.federation.agreement.signing import LARGEST_FILE, opened_agreement, read_signed
from cryofed.trust.keys import same_fingerprint

READ_IT = "read it (cryofed site agreement diff), then: cryofed site agreement accept"


@dataclass(frozen=True, slots=True)
class Consent:
    """The agreements of one site."""

    folder: Path
    coordinator: str  # fingerprint of the pinned key

    @property
    def history(self) -> Path:
        """Every acceptance, a line each, which seals the ones before."""
        return self.folder / "history.jsonl"

    def accepted(self) -> Agreement | None:
        """What the site has accepted last; None before.

        Raises:
            InputError: the file was changed.
        """
        return read_signed(self.folder / "accepted.json", self.coordinator)

    def proposed(self) -> Agreement | None:
        """What waits for an answer; None where nothing does."""
        proposal, known = read_signed(self.folder / "proposed.json", self.coordinator), self.accepted()
        return None if proposal is None or (known and proposal.version <= known.version) else proposal

    def propose(self, data: bytes) -> Agreement:
        """Keep what the coordinator proposes, for a person to read.

        Raises:
            AgreementError: `forged`, or `older` than the accepted one.
        """
        if len(data) > LARGEST_FILE:
            raise AgreementError("forged", f"{len(data)} bytes are no agreement")
        proposal, known = opened_agreement(data, self.coordinator), self.accepted()
        if known and proposal.version < known.version:
            raise AgreementError(
                "older",
                f"agreement {proposal.version} is offered again; this site has accepted {known.version}",
            )
        if known and proposal.version == known.version and proposal.hash != known.hash:
            raise AgreementError("older", f"there are two agreements {proposal.version}; ask the coordinator")
        if known is None or proposal.hash != known.hash:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self.folder / "proposed.json", data, mode=0o600)
        return proposal

    def accept(self, wanted: str, by: str) -> Agreement:
        """Accept what is proposed.

        Args:
            wanted: hash of the agreement that was read.
            by: who accepts.

        Raises:
            AgreementError: nothing is proposed, or something else.
        """
        path = self.folder / "proposed.json"
        data = path.read_bytes() if path.exists() else b""
        if not data:
            raise AgreementError("none", "nothing waits to be accepted")
        proposal = self.propose(data)
        if proposal.hash != wanted:
            raise AgreementError(
                "other", f"what waits has the hash {proposal.hash}, not {wanted}; read it again"
            )

        def newest(earlier: Sequence[Record]) -> Record | None:
            last = earlier[-1] if earlier else {"version": 0, "agreement": ""}
            if last["agreement"] == proposal.hash:
                return None
            if int(str(last["version"])) >= proposal.version:
                raise AgreementError("older", f"agreement {last['version']} was accepted here before")
            now = datetime.now(UTC).isoformat(timespec="seconds")
            return {"version": proposal.version, "agreement": proposal.hash, "by": by, "time": now}

        add_record(self.history, newest)
        write_whole(self.folder / "accepted.json", data, mode=0o600)
        path.unlink(missing_ok=True)
        return proposal

    def agreed(self, data: bytes) -> Agreement:
        """The accepted agreement, if it is the one that an order comes with; a newer one is kept to be read.

        Raises:
            AgreementError: `not-accepted`, `older` or `forged`; nothing may be done for this order.
        """
        proposal, known = self.propose(data), self.accepted()
        if known is None or proposal.hash != known.hash:
            raise AgreementError(
                "not-accepted",
                f"the order is under agreement {proposal.version}, which is not accepted here; {READ_IT}",
            )
        return known

    def check_pin(self, coordinator: str) -> None:
        """Refuse an invitation of another coordinator than the one whose agreement was accepted.

        Raises:
            AgreementError: the keys differ.
        """
        if self.accepted() is not None and not same_fingerprint(coordinator, self.coordinator):
            raise AgreementError(
                "foreign",
                f"this invitation is of the key {coordinator}, and this site has pinned {self.coordinator}; "
                "ask the coordinator by telephone, and join in another folder if they have a new key",
            )
