"""Bounds where FLARE has none, or none that fits: on what a message may bring, and on waiting."""

from __future__ import annotations

from typing import NoReturn

from nvflare.fuel.f3.sfm import conn_manager
from nvflare.fuel.f3.streaming.byte_streamer import TxTask
from nvflare.fuel.utils.fobs.decomposers.via_downloader import ViaDownloaderDecomposer

from cryofed.errors import FederationError

LARGEST_MESSAGE = (
    64 << 20
)  # bytes, `NVFLARE_STREAMING_MAX_BLOB_SIZE`; a piece of a ticket is the largest of ours
# Seconds in which a reply that is not acknowledged is sent again; whoever asked then asks anew. FLARE keeps a
# thread for every reply that came, so long and 5 s more: its own 60 s make thousands on a fast network.
RETRY_S = 30  # `NVFLARE_STREAMING_RETRY_TIMEOUT`
RECONNECT_S = 2  # FLARE waits up to 10 s before it tries a lost connection again


def refuse_references() -> None:
    """Accept no array by reference: FLARE would fetch it whole before anybody sees how large it is.

    Every process of ours calls this before it hears another machine; orders and answers are `transfer`.
    """
    ViaDownloaderDecomposer.process_datum = _refused


def let_go_of_what_was_sent() -> None:
    """Free a message once it is sent.

    In FLARE a message's sender and its future hold each other, and the sender holds the message. Python's
    collector of such circles counts objects, not bytes: without this it comes when 200 MB have gathered.
    """
    TxTask.remove_task = _removed


def reconnect_soon() -> None:
    """Find an aggregator that was started again within seconds."""
    conn_manager.MAX_WAIT = RECONNECT_S


_remove = TxTask.remove_task


def _removed(sender: TxTask) -> None:
    """The last thing that FLARE does with a sender; whoever waits for it waits for the future."""
    _remove(sender)
    sender.stream_future.task_handle = None


def _refused(*_: object) -> NoReturn:
    raise FederationError("a message brings an array by reference; refused")
