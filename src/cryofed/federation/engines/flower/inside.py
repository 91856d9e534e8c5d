"""Every name of Flower's that we use, for the one series of releases that this adapter is written for.

No other file imports `flwr`. Most of these names are Flower's own business and may move with any release;
`tests/federation/engines/flower/test_flower_inside.py` holds each name and signature against the installed
one. To take in a new series, change `machines.py: release`, run that test, and mend what it names.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.app.message.arraychunk import ArrayChunk
from flwr.common.constant import (
    FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE,
    NOOP_ACCOUNT_NAME,
    NOOP_FLWR_AID,
    SUPERLINK_NODE_ID,
    SYSTEM_TIME_TOLERANCE,
    TIMESTAMP_HEADER,
    TIMESTAMP_TOLERANCE,
    ErrorCode,
)
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import ObjectTree, PullObjectRequest, PushObjectRequest
from flwr.proto.node_pb2 import Node
from flwr.supercore.constant import FLWR_IN_MEMORY_DB_NAME, NOOP_FEDERATION_ID, NodeStatus, TaskType
from flwr.supercore.error import http_error_translator
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_body,
    get_object_children_ids_from_object_content,
    get_object_tree,
    get_object_type_from_object_content,
    iterate_object_tree,
)
from flwr.supercore.inflatable.inflatable_object import (
    no_object_id_recompute as sealing,
)
from flwr.supercore.interceptors.http.utils import add_headers
from flwr.supercore.object_store.in_memory_object_store import InMemoryObjectStore
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supercore.protobuf.translation import ProtobufTranslationMiddleware
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.config_loader import get_objectstore_linkstate_factories
from flwr.superlink.federation import NoOpFederationManager
from flwr.superlink.routers.fleet.node_auth import NodeAuthMiddleware
from flwr.superlink.routers.fleet.router import router as fleet_router
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

__all__ = [
    "FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE",
    "SYSTEM_TIME_TOLERANCE",
    "TIMESTAMP_HEADER",
    "TIMESTAMP_TOLERANCE",
    "ActivateNodeRequest",
    "DeactivateNodeRequest",
    "DiskStore",
    "ErrorCode",
    "FleetHttpClient",
    "Message",
    "Node",
    "NodeAuthHttpInterceptor",
    "NodeAuthMiddleware",
    "NodeStatus",
    "ObjectTree",
    "ProtobufTranslationMiddleware",
    "PullMessagesRequest",
    "PullObjectRequest",
    "PushMessagesRequest",
    "PushObjectRequest",
    "SendNodeHeartbeatRequest",
    "add_headers",
    "fleet_router",
    "http_error_translator",
    "iterate_object_tree",
    "message_from_proto",
    "message_to_proto",
    "public_key_to_bytes",
    "remove_content_from_message",
    "sealing",
]

_STATE = "flwr.server.superlink.linkstate.in_memory_linkstate.InMemoryLinkState"
_STORE = "flwr.supercore.object_store.in_memory_object_store.InMemoryObjectStore"
_OBJECT = "flwr.supercore.inflatable.inflatable_object"
_FLEET = "flwr.supernode.fleet_http_client.FleetHttpClient"

# Dotted name: the parameters that it takes. What is imported above is there, or this module would not load.
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "flwr.superlink.config_loader.get_objectstore_linkstate_factories": (
            "database",
            "federation_manager",
        ),
        f"{_STATE}.create_node": (
            "self",
            "owner_aid",
            "owner_name",
            "public_key",
            "heartbeat_interval",
            "location",
            "name",
        ),
        f"{_STATE}.delete_node": ("self", "owner_aid", "node_id"),
        f"{_STATE}.get_node_info": ("self", "node_ids", "owner_aids", "statuses"),
        f"{_STATE}.get_node_id_by_public_key": ("self", "public_key"),
        f"{_STATE}.get_nodes": ("self", "run_id"),
        f"{_STATE}.claim_task": ("self", "task_id"),
        f"{_STATE}.activate_task": ("self", "task_id"),
        f"{_STATE}.acknowledge_task_heartbeat": ("self", "task_id"),
        f"{_STATE}.start_session": ("self", "run_id"),
        f"{_STATE}.store_message_and_object_tree": ("self", "message", "object_tree", "session_id"),
        f"{_STATE}.store_object": ("self", "run_id", "session_id", "object_id", "object_content"),
        f"{_STATE}.get_object": ("self", "run_id", "object_id"),
        f"{_STATE}.get_message_res": ("self", "message_ids", "run_id"),
        f"{_STATE}.delete_messages": ("self", "message_ins_ids"),
        f"{_STATE}.stop_run": ("self", "run_id"),
        f"{_STORE}.put": ("self", "object_id", "object_content"),
        f"{_STORE}.get": ("self", "object_id"),
        f"{_STORE}.delete": ("self", "object_id"),
        f"{_STORE}.get_object_tree": ("self", "object_id"),
        f"{_OBJECT}.get_object_body": ("object_content", "cls"),
        f"{_OBJECT}.get_object_children_ids_from_object_content": ("object_content",),
        f"{_OBJECT}.get_object_type_from_object_content": ("object_content",),
        f"{_OBJECT}.get_all_nested_objects": ("obj",),
        f"{_OBJECT}.get_object_tree": ("obj",),
        f"{_OBJECT}.iterate_object_tree": ("tree",),
        f"{_FLEET}.__init__": ("self", "base_url", "interceptors", "verify", "timeout", "retry_invoker"),
        f"{_FLEET}.ActivateNode": ("self", "request"),
        f"{_FLEET}.DeactivateNode": ("self", "request"),
        f"{_FLEET}.SendNodeHeartbeat": ("self", "request"),
        f"{_FLEET}.PullMessages": ("self", "request"),
        f"{_FLEET}.PushMessages": ("self", "request"),
        f"{_FLEET}.PullObject": ("self", "request"),
        f"{_FLEET}.PushObject": ("self", "request"),
        "flwr.supernode.node_auth_http_interceptor.NodeAuthHttpInterceptor.__init__": (
            "self",
            "private_key",
            "public_key",
        ),
        "flwr.supercore.interceptors.http.utils.add_headers": ("request", "headers"),
        "flwr.app.message.remove_content_from_message": ("message",),
        "flwr.common.serde.message_from_proto": ("message_proto",),
        "flwr.common.serde.message_to_proto": ("message",),
        "flwr.supercore.primitives.asymmetric.public_key_to_bytes": ("public_key",),
    }
)
PIECE = FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE  # bytes of an array that travel in one request
_LARGE = 64 << 10  # bytes of an object above which it lies on the disk

logging.getLogger("flwr").setLevel(logging.ERROR)  # it tells of every request


class DiskStore(InMemoryObjectStore):  # type: ignore[misc]  # untyped where Flower is not installed
    """Flower's object store, its large objects on the disk: memory does not grow with the number of sites."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def put(self, object_id: str, object_content: bytes) -> None:
        """Keep an object that was announced; Flower checks its hash."""
        with self.lock_store:
            super().put(object_id, object_content)
            entry = self.store[object_id]
            if len(entry.content) > _LARGE:
                (self.folder / object_id).write_bytes(entry.content)
                entry.content = b""

    def get(self, object_id: str) -> bytes | None:
        """Its content; empty while it is still to come, None where it was not announced."""
        with self.lock_store:
            entry = self.store.get(object_id)
            if entry is None:
                return None
            if entry.is_available and not entry.content:
                return (self.folder / object_id).read_bytes()
            content: bytes = entry.content
            return content

    def delete(self, object_id: str) -> None:
        """Drop it and what only it refers to."""
        with self.lock_store:
            known = object_id in self.store  # a name that nobody has announced is no file of ours
            super().delete(object_id)
            if known and object_id not in self.store:
                (self.folder / object_id).unlink(missing_ok=True)

    def came(self, object_id: str) -> bool | None:
        """Whether it has come; None where it was dropped."""
        with self.lock_store:
            entry = self.store.get(object_id)
            return None if entry is None else bool(entry.is_available)


def make_state(folder: Path) -> tuple[Any, Any, DiskStore]:
    """Flower's factory of states as its server wants it, its state in memory, and the store in `folder`."""
    objects, factory = get_objectstore_linkstate_factories(FLWR_IN_MEMORY_DB_NAME, NoOpFederationManager())
    objects.store_instance = store = DiskStore(folder)
    return factory, factory.state(), store


def enrol(state: Any, public_key: bytes, name: str, beat_s: float) -> int:
    """Let a node with this key (PEM) come in; its number."""
    return int(state.create_node(NOOP_FLWR_AID, NOOP_ACCOUNT_NAME, public_key, beat_s, name=name))


def expel(state: Any, node: int) -> None:
    """Let it in no more; its key can never come back."""
    state.delete_node(NOOP_FLWR_AID, node)


def open_run(state: Any) -> tuple[int, int]:
    """A run of no app, and its task, which ends unless it is acknowledged every minute."""
    run: int = state.create_run(
        None, None, None, {}, NOOP_FEDERATION_ID, None, NOOP_FLWR_AID, TaskType.SIMULATION
    )
    task: int = state.get_run_info(run_ids=[run])[0].primary_task_id
    if not (state.claim_task(task) and state.activate_task(task)):
        raise RuntimeError("Flower opened no run")
    return run, task


def order_to(node: int, content: Any, *, run: int, task: int, seconds: float) -> Any:
    """A message to a node; Flower reads who sends it from a place that the whole process shares."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = run, SUPERLINK_NODE_ID, task
    return Message(content, node, "query", ttl=seconds)


def records(header: Mapping[str, str], data: Any) -> Any:
    """What a message holds: a table of words, and bytes as an array, which travels in pieces."""
    dictionary = RecordDict({"header": ConfigRecord(dict(header))})
    if len(data):
        dictionary["data"] = ArrayRecord({"data": Array("uint8", (len(data),), "cryofed", b"")})
        # Only now, for a record takes nothing but bytes; it is looked at piece by piece, a map of a file too.
        dictionary["data"]["data"].data = data
    return dictionary


def sealed(message: Any) -> tuple[Any, dict[str, Any]]:
    """A message gets its number; the tree of its objects, and the objects by number, children first.

    Inside `with sealing()`, where what several messages share is hashed once.
    """
    message.metadata.__dict__["_message_id"] = message.object_id
    return get_object_tree(message), get_all_nested_objects(message)


def header_in(content: bytes) -> dict[str, Any] | None:
    """The table in this object; None where it is an object of another kind."""
    if get_object_type_from_object_content(content) != "ConfigRecord":
        return None
    return dict(ConfigRecord.inflate(content))


def pieces_of(content: bytes) -> list[str]:
    """The numbers of an array's pieces, in their order."""
    children = get_object_children_ids_from_object_content(content)
    array = json.loads(get_object_body(content, Array))
    return [children[index] for index in array["arraychunk_ids"]]


def piece_in(content: bytes) -> bytes:
    """The bytes of a piece."""
    body: bytes = get_object_body(content, ArrayChunk)
    return body
