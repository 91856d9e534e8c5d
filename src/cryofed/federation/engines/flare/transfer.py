"""Orders and answers as files fetched piece by piece: nobody holds a whole one in memory."""

from __future__ import annotations

import math
import secrets
import threading
import time
from pathlib import Path
from typing import IO, Any

from nvflare.apis.signal import Signal
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.fqcn import FQCN
from nvflare.fuel.f3.streaming.download_service import Consumer, ProduceRC, download_object
from nvflare.fuel.f3.streaming.file_downloader import FileDownloadable
from nvflare.fuel.f3.streaming.obj_downloader import ObjectDownloader

from cryofed.errors import FederationError
from cryofed.federation.engines.flare.envelopes import Ticket

PIECE = 4 << 20  # bytes: large enough that asking for pieces takes little of the time
SMALL = 1 << 20  # bytes; such a file goes to everybody at once: waiting would take longer than sending
AT_A_TIME = 2  # transfers of one file, and of answers: what they hold in memory is all that they hold
PAUSE_S = 0.1  # how long one waits that was told to
FORGOTTEN_S = 20.0  # a receiver that asks for no piece for so long has lost its place
REQUEST_S = 10.0  # for one piece; it is asked for again three times
IDLE_S = 3600.0  # an offer that nobody fetches is forgotten after this


class Offer:
    """Owns a file that so many others may fetch from this process; the file goes when the offer does.

    Each receiver has a ticket of its own, which nobody can guess: whoever knows another's could fetch in its
    place, or end its work in the aggregator's name.
    """

    def __init__(self, cell: Cell, path: Path, receivers: int = 1) -> None:
        self.path, self.size = path, path.stat().st_size
        self._downloader = ObjectDownloader(cell=cell, timeout=IDLE_S, num_receivers=1)
        pieces = _Pieces(path)  # one, so that few are served at a time whatever their tickets
        self.refs = tuple(
            str(self._downloader.add_object(pieces, ref_id=secrets.token_hex(16))) for _ in range(receivers)
        )

    @property
    def ref(self) -> str:
        """The ticket, where there is one."""
        return self.refs[0]

    def withdraw(self) -> None:
        """Nobody needs it any more."""
        self._downloader.delete_transaction()
        self.path.unlink(missing_ok=True)


def fetch(cell: Cell, owner: str, ticket: Ticket, path: Path, stop: Signal) -> None:
    """Write what `owner` offers to `path`: exactly the bytes that it told, or none.

    Args:
        cell: this process's place in FLARE's network.
        owner: name of the site, or `server`; its process in the same segment is asked.
        ticket: as the owner told it, its size already found small enough.
        path: where it goes.
        stop: ends it early when triggered.

    Raises:
        FederationError: it did not come whole.
    """
    try:
        with path.open("wb") as file:
            writer = _Writer(file, ticket.size)
            address = FQCN.join([owner, *FQCN.split(cell.get_fqcn())[1:]])
            download_object(
                from_fqcn=address, ref_id=ticket.ref, per_request_timeout=REQUEST_S, cell=cell,
                consumer=writer, optional=True, abort_signal=stop,
            )  # fmt: skip
        if writer.reason or writer.size != ticket.size:
            raise FederationError(
                f"{owner}: {writer.size} of {ticket.size} bytes came; {writer.reason or 'cut short'}"
            )
    except Exception as error:  # FLARE asserts on what the other side sends
        path.unlink(missing_ok=True)
        if isinstance(error, FederationError):
            raise
        raise FederationError(f"{owner}: nothing came ({type(error).__name__}: {error})") from error


class _Pieces(FileDownloadable):  # type: ignore[misc]  # FLARE is untyped
    """Serves a file to a few receivers at a time; the others get empty pieces meanwhile."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), chunk_size=PIECE)
        self._guard = threading.Lock()
        self._at_a_time = math.inf if path.stat().st_size <= SMALL else AT_A_TIME
        self._served: dict[str, float] = {}  # receivers, and when they last asked

    def produce(self, state: dict[str, Any] | None, requester: str) -> tuple[str, Any, dict[str, Any]]:
        """The piece that comes after `state`."""
        now = time.monotonic()
        with self._guard:
            self._served = {who: last for who, last in self._served.items() if now - last < FORGOTTEN_S}
            if requester not in self._served and len(self._served) >= self._at_a_time:
                return ProduceRC.OK, b"", state or {"received_bytes": 0}
            self._served[requester] = now
        result: tuple[str, Any, dict[str, Any]] = super().produce(state, requester)
        if result[0] != ProduceRC.OK:
            with self._guard:
                self._served.pop(requester, None)
        return result


class _Writer(Consumer):  # type: ignore[misc]  # FLARE is untyped
    """Appends pieces to a file and refuses one byte too many."""

    supports_pipelining = True  # the next piece is on its way while this one is written

    def __init__(self, file: IO[bytes], size: int) -> None:
        super().__init__()
        self._file, self._most = file, size
        self.size, self.reason = 0, ""

    def consume(self, ref_id: str, state: dict[str, Any], data: object) -> dict[str, Any]:
        """One piece."""
        if not isinstance(data, bytes) or self.size + len(data) > self._most:
            raise FederationError("more came than was told, or something else than bytes")
        if not data:
            time.sleep(PAUSE_S)
        self._file.write(data)
        self.size += len(data)
        return {"received_bytes": self.size}

    def download_completed(self, ref_id: str) -> None:
        """All pieces came."""

    def download_failed(self, ref_id: str, reason: str) -> None:
        """Some did not."""
        self.reason = reason
