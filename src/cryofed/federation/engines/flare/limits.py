"""Bounds where FLARE has none, or none that fits: on what a message may bring, and on waiting."""

from __future__ import annotations

from typing import NoReturn

from nvflare.fuel.f3.sfm import conn_manager
from nvflare.fuel.utils.fobs.decomposers.via_downloader import ViaDownloaderDecomposer

from cryofed.errors import FederationError

LARGEST_MESSAGE = (
    64 << 20
)  # bytes, `NVFLARE_STREAMING_MAX_BLOB_SIZE`; a piece of a parcel is the largest of ours
RECONNECT_S = 2  # FLARE waits up to 10 s before it tries a lost connection again


def refuse_references() -> None:
    """Accept no array by reference: FLARE would fetch it whole before anybody sees how large it is.

    Every process of ours calls this before it hears another machine; orders and answers are `parcels`.
    """
    ViaDownloaderDecomposer.process_datum = _refused


def reconnect_soon() -> None:
    """Find an aggregator that was started again within seconds."""
    conn_manager.MAX_WAIT = RECONNECT_S


def _refused(*_: object) -> NoReturn:
    raise FederationError("a message brings an array by reference; refused")
