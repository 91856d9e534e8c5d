"""Every name of FLARE's inside that we use, for the one release that this adapter is written for.

What other files import from `nvflare.apis` is FLARE's published interface. Everything else (modules that it
calls private or does not document, what we replace in its classes, its processes' modules and the files that
they read) is named here and in `files.py`, and `tests/federation/engines/flare/test_flare_inside.py` holds
each name and signature against the installed release. To take in a new release, change `RELEASE`, run that
test, and mend what it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

from cryofed.errors import FederationError

RELEASE = "2.9.0"
LARGEST_MESSAGE = 64 << 20  # bytes; a piece of an order or answer is the largest of ours
# Seconds in which a reply that is not acknowledged is sent again; whoever asked then asks anew. FLARE keeps a
# thread for every reply that came, so long and 5 s more: its own 60 s make thousands on a fast network.
RETRY_S = 30
RECONNECT_S = 2  # FLARE waits up to 10 s before it tries a lost connection again

SERVER_MODULE = "nvflare.private.fed.app.server.server_train"  # what runs the aggregator
CLIENT_MODULE = "nvflare.private.fed.app.client.client_train"  # what runs a site
SETTINGS = MappingProxyType(  # read by FLARE from the environment
    {
        "NVFLARE_STREAMING_MAX_BLOB_SIZE": str(LARGEST_MESSAGE),
        "NVFLARE_STREAMING_RETRY_TIMEOUT": str(RETRY_S),
    }
)

# Dotted name: the parameters that it takes; None for what is not called. All of it is checked by the test.
NAMES: Mapping[str, tuple[str, ...] | None] = MappingProxyType(
    {
        "nvflare.app_common.workflows.base_fedavg.BaseFedAvg.__init__": (
            "self",
            "args",
            "num_clients",
            "num_rounds",
            "start_round",
            "memory_gc_rounds",
            "kwargs",
        ),
        "nvflare.apis.impl.controller.Controller.broadcast": (
            "self",
            "task",
            "fl_ctx",
            "targets",
            "min_responses",
            "wait_time_after_min_received",
        ),
        "nvflare.apis.impl.controller.Controller.cancel_task": (
            "self",
            "task",
            "completion_status",
            "fl_ctx",
        ),
        "nvflare.fuel.f3.cellnet.cell.Cell.__init__": ("self", "args", "kwargs"),
        "nvflare.fuel.f3.cellnet.core_cell.CoreCell.get_fqcn": ("self",),
        "nvflare.fuel.f3.cellnet.fqcn.FQCN.join": ("path",),
        "nvflare.fuel.f3.cellnet.fqcn.FQCN.split": ("fqn",),
        "nvflare.fuel.f3.streaming.obj_downloader.ObjectDownloader.__init__": (
            "self",
            "cell",
            "timeout",
            "num_receivers",
            "tx_id",
            "transaction_done_cb",
            "progress_cb",
            "progress_interval",
            "outcome_cb",
            "receiver_ids",
            "min_receivers",
            "receiver_acquire_timeout",
            "receiver_idle_timeout",
            "cb_kwargs",
        ),
        "nvflare.fuel.f3.streaming.obj_downloader.ObjectDownloader.add_object": ("self", "obj", "ref_id"),
        "nvflare.fuel.f3.streaming.obj_downloader.ObjectDownloader.delete_transaction": ("self",),
        "nvflare.fuel.f3.streaming.file_downloader.FileDownloadable.__init__": (
            "self",
            "file_name",
            "chunk_size",
            "file_downloaded_cb",
            "cb_kwargs",
        ),
        "nvflare.fuel.f3.streaming.file_downloader.FileDownloadable.produce": ("self", "state", "requester"),
        "nvflare.fuel.f3.streaming.download_service.download_object": (
            "from_fqcn",
            "ref_id",
            "per_request_timeout",
            "cell",
            "consumer",
            "secure",
            "optional",
            "abort_signal",
            "max_retries",
            "progress_cb",
            "progress_interval",
        ),
        "nvflare.fuel.f3.streaming.download_service.Consumer.consume": ("self", "ref_id", "state", "data"),
        "nvflare.fuel.f3.streaming.download_service.Consumer.download_completed": ("self", "ref_id"),
        "nvflare.fuel.f3.streaming.download_service.Consumer.download_failed": ("self", "ref_id", "reason"),
        "nvflare.fuel.f3.streaming.download_service.ProduceRC.OK": None,
        "nvflare.fuel.f3.streaming.byte_streamer.TxTask.remove_task": ("self",),
        "nvflare.fuel.f3.sfm.conn_manager.MAX_WAIT": None,
        "nvflare.fuel.utils.fobs.decomposers.via_downloader.ViaDownloaderDecomposer.process_datum": (
            "self",
            "datum",
            "manager",
        ),
        "nvflare.fuel.utils.memory_utils.try_malloc_trim": (),
        "nvflare.fuel.flare_api.flare_api.new_secure_session": (
            "username",
            "startup_kit_location",
            "debug",
            "timeout",
            "study",
            "command_timeout",
            "auto_login_max_tries",
        ),
        "nvflare.private.defs.ClientType.ADMIN": None,
        "nvflare.private.defs.ClientType.REGULAR": None,
        "nvflare.private.defs.CellMessageHeaderKeys.CLIENT_NAME": None,
        "nvflare.fuel.f3.cellnet.defs.IdentityChallengeKey.CERT": None,
        "nvflare.private.fed.utils.identity_utils.TokenVerifier.verify": (
            "self",
            "client_name",
            "token",
            "signature",
        ),
        "nvflare.private.fed.server.client_manager.ClientManager.authenticated_client": (
            "self",
            "request",
            "fl_ctx",
            "client_type",
        ),
        "nvflare.private.fed.authenticator._get_client_ip": (),
        f"{SERVER_MODULE}.main": ("args",),
        f"{CLIENT_MODULE}.main": ("args",),
    }
)


def server_command(kit: Path, organization: str) -> list[str]:
    """Words after `python` that run the aggregator of a kit."""
    return _command(SERVER_MODULE, kit, "fed_server.json", f"org={organization}")


def client_command(kit: Path, name: str, organization: str) -> list[str]:
    """Words after `python` that run the site of a kit."""
    beat = "heart_beat_interval=3"  # FLARE's 10 s would tell late that a site has come back
    return _command(CLIENT_MODULE, kit, "fed_client.json", f"uid={name}", f"org={organization}", beat)


def new_session(name: str, kit: Path, timeout_s: float) -> Any:
    """The coordinator's session with the aggregator."""
    from nvflare.fuel.flare_api.flare_api import new_secure_session

    keep_address()
    return new_secure_session(name, str(kit), timeout=timeout_s)


def refuse_references() -> None:
    """Accept no array by reference: FLARE would fetch it whole before anybody sees how large it is.

    Every process of ours calls this before it hears another machine; orders and answers are `transfer`.
    """
    from nvflare.fuel.utils.fobs.decomposers.via_downloader import ViaDownloaderDecomposer

    decode = ViaDownloaderDecomposer.process_datum
    if not hasattr(decode, "__wrapped__"):  # several of our classes ask for it

        @wraps(decode)
        def refused(*_: object) -> NoReturn:
            raise FederationError("a message brings an array by reference; refused")

        ViaDownloaderDecomposer.process_datum = refused


def let_go_of_what_was_sent() -> None:
    """Free a message once it is sent.

    In FLARE a message's sender and its future hold each other, and the sender holds the message. Python's
    collector of such circles counts objects, not bytes: without this it comes when 200 MB have gathered.
    """
    from nvflare.fuel.f3.streaming.byte_streamer import TxTask

    remove = TxTask.remove_task
    if getattr(remove, "lets_go", False):
        return

    @wraps(remove)
    def removed(sender: TxTask) -> None:
        """The last thing that FLARE does with a sender; whoever waits for it waits for the future."""
        remove(sender)
        sender.stream_future.task_handle = None

    # A mark on a function, which its type does not know.
    removed.lets_go = True  # type: ignore[attr-defined]  # our own mark
    TxTask.remove_task = removed


def reconnect_soon() -> None:
    """Find an aggregator that was started again within seconds."""
    from nvflare.fuel.f3.sfm import conn_manager

    conn_manager.MAX_WAIT = RECONNECT_S


def keep_address() -> None:
    """Tell the aggregator no address of this machine's own network: FLARE writes it into a log there."""
    from nvflare.private.fed import authenticator

    authenticator._get_client_ip = lambda: "127.0.0.1"


class Judge(Protocol):
    """Who may come in, and whose session goes on; see `aggregator.holders`."""

    def refuses(self, name: str, certificate: bytes, *, coordinator: bool) -> str:
        """Why not; nothing where it may."""
        ...

    def entered(self, name: str, token: str, certificate: bytes) -> None:
        """It has come in."""
        ...

    def holds(self, name: str, token: str) -> bool:
        """Whether its session goes on."""
        ...


def judge_keys(judge: Judge, refused: Callable[[str, str], None]) -> None:
    """In the aggregator's own process: FLARE checks a signature, and then `judge` has the word.

    Args:
        judge: called for every registration and every message.
        refused: hears the name and the reason of whoever is not let in.
    """
    from nvflare.apis.fl_exception import NotAuthenticated
    from nvflare.fuel.f3.cellnet.defs import IdentityChallengeKey
    from nvflare.private.defs import CellMessageHeaderKeys, ClientType
    from nvflare.private.fed.server.client_manager import ClientManager
    from nvflare.private.fed.utils.identity_utils import TokenVerifier

    authenticated = _original(ClientManager.authenticated_client)
    verified = _original(TokenVerifier.verify)

    @wraps(authenticated)
    def judged(self: Any, request: Any, fl_ctx: Any, client_type: Any) -> Any:
        name = str(request.get_header(CellMessageHeaderKeys.CLIENT_NAME))
        shown = request.payload.get(IdentityChallengeKey.CERT)
        certificate = shown.encode() if isinstance(shown, str) else bytes(shown or b"")
        reason = judge.refuses(name, certificate, coordinator=client_type == ClientType.ADMIN)
        if reason:
            refused(name, reason)
            raise NotAuthenticated(reason)
        client = authenticated(self, request, fl_ctx, client_type)
        if client is not None and client_type == ClientType.REGULAR:
            judge.entered(name, client.token, certificate)
        return client

    @wraps(verified)
    def verified_now(self: Any, client_name: str, token: str, signature: Any) -> bool:
        return bool(verified(self, client_name, token, signature)) and judge.holds(client_name, token)

    ClientManager.authenticated_client = judged
    TokenVerifier.verify = verified_now


def _original(function: Any) -> Any:
    """What we have replaced before, by another object in the same process."""
    return getattr(function, "__wrapped__", function)


def engine_of(controller: Any) -> Any:
    """The server's engine, which a controller keeps to itself."""
    return controller._engine


def _command(module: str, kit: Path, file: str, *settings: str) -> list[str]:
    words = ["-u", "-m", module, "-m", str(kit), "-s", file, "--set", "secure_train=true", *settings]
    return [*words, "config_folder=config"]
