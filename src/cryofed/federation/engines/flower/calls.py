"""What a site calls at the aggregator, over Flower's client: each call is made once."""

from __future__ import annotations

import contextlib
import ssl
import uuid
from pathlib import Path
from typing import Any

import httpx

from cryofed import __version__
from cryofed.disk.whole import mapped_bytes
from cryofed.errors import FederationError
from cryofed.federation.engines.flower import inside, parcels
from cryofed.federation.engines.flower.door import BEAT_S, LIFE, VERSION
from cryofed.trust.identity import Identity
from cryofed.trust.keys import read_key

CALL_S = 60.0  # longest that one request may take: a piece of 5 MB, at 0.7 Mbit/s
_WAIT_S = 0.1  # for an object that the aggregator has announced and not yet laid down
_LARGEST_REASON = 300  # characters


class UnreachableError(FederationError):
    """The aggregator does not answer now; a later call may reach it."""


class RefusedError(FederationError):
    """The aggregator answered, and not with what was asked."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)

    @property
    def status(self) -> int:
        """Of HTTP: 401 and 403 are about who we are, 412 about the node's state."""
        return int(self.args[0])

    def __str__(self) -> str:
        return str(self.args[1])


class Fleet:
    """Owns the connections to one aggregator; its calls may come from several threads."""

    def __init__(self, identity: Identity, host: str, port: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(identity.authority)
        context.load_cert_chain(identity.certificate, identity.key)
        key = read_key(identity.key)
        self._public_key = inside.public_key_to_bytes(key.public_key())
        where = f"[{host}]" if ":" in host else host
        self._client = inside.FleetHttpClient(
            f"https://{where}:{port}",
            interceptors=[_Version(), inside.NodeAuthHttpInterceptor(key, key.public_key())],
            verify=context,
            timeout=CALL_S,
        )

    def activate(self, before: int | None) -> int:
        """Come in; our node's number.

        Args:
            before: the number of an earlier life of this site. Flower takes it for alive until two signs of
                life are missing, and lets nobody in beside it: so it is deactivated first.
        """
        if before is not None:
            with contextlib.suppress(RefusedError):  # of an aggregator that was started again since
                self._call("DeactivateNode", inside.DeactivateNodeRequest(node_id=before))
        asked = inside.ActivateNodeRequest(public_key=self._public_key, heartbeat_interval=BEAT_S)
        return int(self._call("ActivateNode", asked).node_id)

    def deactivate(self, node: int) -> None:
        """Go; the aggregator need not wait for two signs of life."""
        self._call("DeactivateNode", inside.DeactivateNodeRequest(node_id=node))

    def beat(self, node: int) -> bool:
        """A sign of life; whether the aggregator knows us."""
        asked = inside.SendNodeHeartbeatRequest(node=inside.Node(node_id=node), heartbeat_interval=BEAT_S)
        return bool(self._call("SendNodeHeartbeat", asked).success)

    def pull(self, node: int) -> tuple[Any, Any] | None:
        """The next message without its content, and the tree of its objects; None where there is none."""
        response = self._call("PullMessages", inside.PullMessagesRequest(node=inside.Node(node_id=node)))
        if not response.messages_list:
            return None
        try:
            return inside.message_from_proto(response.messages_list[0]), response.message_object_trees[0]
        except (ValueError, IndexError, TypeError, KeyError) as error:
            raise FederationError(
                f"the aggregator sent no message of Flower's ({type(error).__name__})"
            ) from error

    def fetch(self, node: int, message: Any, tree: Any, path: Path, stop: Any) -> dict[str, Any]:
        """Write an order to `path`, piece by piece; its header.

        Raises:
            FederationError: it was taken back, it is none of ours, or we stop.
        """
        run = message.metadata.run_id

        def content_of(number: str) -> bytes:
            while not stop.is_set():
                asked = inside.PullObjectRequest(node=inside.Node(node_id=node), run_id=run, object_id=number)
                response = self._call("PullObject", asked)
                if not response.object_found:
                    break
                if response.object_available:
                    content: bytes = response.object_content
                    return content
                stop.wait(_WAIT_S)
            raise FederationError("the order was taken back")

        return parcels.unfold(tree, content_of, path, parcels.LARGEST_ORDER)

    def wanted(self, node: int, message: Any) -> bool:
        """Whether the aggregator still waits for the answer to this message."""
        asked = inside.PullObjectRequest(
            node=inside.Node(node_id=node),
            run_id=message.metadata.run_id,
            object_id=message.metadata.message_id,
        )
        return bool(self._call("PullObject", asked).object_found)

    def reply(self, node: int, message: Any, failure: str, path: Path | None) -> None:
        """Send the answer in this file, or the code of what went wrong. A late one is dropped."""
        data = mapped_bytes(path) if path is not None and path.stat().st_size else b""
        back = inside.Message(inside.records({"failure": failure}, data), reply_to=message)
        with inside.sealing():
            tree, objects = inside.sealed(back)
        asked = inside.PushMessagesRequest(
            node=inside.Node(node_id=node),
            messages_list=[inside.message_to_proto(inside.remove_content_from_message(back))],
            message_object_trees=[tree],
            clientapp_runtime_list=[0.0],
        )
        response = self._call("PushMessages", asked)
        for number in response.objects_to_push:
            content = objects[number].deflate()
            piece = inside.PushObjectRequest(
                node=inside.Node(node_id=node),
                run_id=message.metadata.run_id,
                session_id=response.session_id,
                object_id=number,
                object_content=content,
            )
            if not self._call("PushObject", piece).stored:
                return

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _call(self, name: str, asked: Any) -> Any:
        try:
            return getattr(self._client, name)(asked)
        except httpx.HTTPStatusError as error:
            raise RefusedError(error.response.status_code, _reason(error.response)) from None
        except (httpx.TransportError, ssl.SSLError) as error:
            raise UnreachableError(f"{type(error).__name__}: {error}"[:_LARGEST_REASON]) from None
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise FederationError(f"{name}: {type(error).__name__}") from None


class _Version:
    """Says with every request which cryofed is here, and which process this is."""

    def __init__(self) -> None:
        self._heads = {VERSION: __version__, LIFE: uuid.uuid4().hex}

    def intercept(self, context: Any, call_next: Any) -> Any:
        """Flower's own form of it."""
        inside.add_headers(context.request, self._heads)
        return call_next(context)


def _reason(response: httpx.Response) -> str:
    """What the aggregator says, fit to be shown in a terminal."""
    try:
        document = response.json()
        words = str(document.get("detail") or document) if isinstance(document, dict) else str(document)
    except ValueError:
        words = response.text
    shown = "".join(letter for letter in words[:_LARGEST_REASON] if letter.isprintable())
    return shown or f"status {response.status_code}"
