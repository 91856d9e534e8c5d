"""Every name of OpenFL's that we use, for the one release that this adapter is written for.

No other file imports `openfl` or `grpc`. OpenFL is no longer developed, so the names will not move; what it
stands on will. `tests/federation/engines/openfl/test_openfl_inside.py` holds each name and signature against
the installed one, and shows for each of OpenFL's faults what happens without our remedy.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import grpc
import numpy as np
import yaml
from google.protobuf.message import DecodeError


@contextmanager
def hidden(*names: str, sklearn: ModuleType) -> Iterator[None]:
    """In here these packages seem not to be installed, and scikit-learn empty, unless they are imported."""
    stands: dict[str, Any] = dict.fromkeys(names) | {
        "sklearn": sklearn
    }  # None: Python's word for "not there"
    missing = stands.keys() - sys.modules.keys()
    sys.modules.update({name: stands[name] for name in missing})
    try:
        yield
    finally:
        for name in missing:
            sys.modules.pop(name, None)


_EMPTY = ModuleType("sklearn")
_EMPTY.cluster = None  # type: ignore[attr-defined]  # OpenFL's slowest pipelines want it, and we want none

# OpenFL imports every framework for learning that it finds; an aggregator needs none, a site has a learner.
with hidden("torch", "keras", "tensorflow", "xgboost", "flwr", sklearn=_EMPTY):
    from openfl.callbacks import Callback
    from openfl.component import Aggregator, Assigner, Collaborator, StragglerPolicy
    from openfl.federated.task.runner import TaskRunner
    from openfl.pipelines.pipeline import TransformationPipeline, Transformer
    from openfl.protocols import aggregator_pb2, aggregator_pb2_grpc, base_pb2
    from openfl.protocols.utils import construct_named_tensor
    from openfl.transport import AggregatorGRPCClient, AggregatorGRPCServer
    from openfl.utilities import TensorKey

__all__ = [
    "Aggregator",
    "AggregatorGRPCClient",
    "AggregatorGRPCServer",
    "Assigner",
    "Callback",
    "Collaborator",
    "DecodeError",
    "StragglerPolicy",
    "TaskRunner",
    "TensorKey",
    "aggregator_pb2",
    "aggregator_pb2_grpc",
    "base_pb2",
    "grpc",
]

_AGGREGATOR = "openfl.component.Aggregator"
_COLLABORATOR = "openfl.component.Collaborator"
_CLIENT = "openfl.transport.AggregatorGRPCClient"
_SERVER = "openfl.transport.AggregatorGRPCServer"
_ASSIGNER = "openfl.component.Assigner"
_POLICY = "openfl.component.StragglerPolicy"

# Dotted name: the parameters that it takes. What is imported above is there, or this module would not load.
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        f"{_AGGREGATOR}.__init__": (
            *("self", "aggregator_uuid", "federation_uuid", "authorized_cols", "init_state_path"),
            *("best_state_path", "last_state_path", "assigner", "connector", "use_delta_updates"),
            *("straggler_handling_policy", "rounds_to_train", "single_col_cert_common_name"),
            *("compression_pipeline", "db_store_rounds", "initial_tensor_dict", "log_memory_usage"),
            *("write_logs", "save_native_model", "callbacks", "persist_checkpoint", "persistent_db_path"),
            "secure_aggregation",
        ),
        f"{_AGGREGATOR}.get_tasks": ("self", "collaborator_name"),
        f"{_AGGREGATOR}._end_of_round_with_stragglers_check": ("self",),
        f"{_AGGREGATOR}._collaborator_task_completed": ("self", "collaborator", "task_name", "round_num"),
        "openfl.databases.TensorDB.cache_tensor": ("self", "tensor_key_dict"),
        f"{_COLLABORATOR}.__init__": (
            *("self", "collaborator_name", "aggregator_uuid", "federation_uuid", "client", "task_runner"),
            *("task_config", "opt_treatment", "device_assignment_policy", "use_delta_updates"),
            *("compression_pipeline", "db_store_rounds", "log_memory_usage", "write_logs", "callbacks"),
            *("secure_aggregation", "interop_mode"),
        ),
        f"{_COLLABORATOR}.run": ("self",),
        f"{_CLIENT}.__init__": (
            *("self", "agg_addr", "agg_port", "aggregator_uuid", "federation_uuid", "collaborator_name"),
            *("use_tls", "require_client_auth", "root_certificate", "certificate", "private_key"),
            *("single_col_cert_common_name", "refetch_server_cert_callback", "enable_atomic_connections"),
            *("resend_data_on_reconnection", "kwargs"),
        ),
        f"{_CLIENT}.get_tasks": ("self", "args", "kwargs"),
        f"{_CLIENT}.get_aggregated_tensor": ("self", "args", "kwargs"),
        f"{_CLIENT}.send_local_task_results": ("self", "args", "kwargs"),
        f"{_SERVER}.__init__": (
            *("self", "aggregator", "agg_port", "use_tls", "require_client_auth", "root_certificate"),
            *("certificate", "private_key", "root_certificate_refresher_cb", "kwargs"),
        ),
        f"{_SERVER}.validate_collaborator": ("self", "request", "context"),
        f"{_SERVER}.check_request": ("self", "request"),
        f"{_SERVER}.Ping": ("self", "request", "context"),
        f"{_SERVER}.GetTasks": ("self", "request", "context"),
        f"{_SERVER}.GetAggregatedTensor": ("self", "request", "context"),
        f"{_SERVER}.SendLocalTaskResults": ("self", "args", "kwargs"),
        f"{_SERVER}.InteropRelay": ("self", "request", "context"),
        f"{_ASSIGNER}.__init__": (
            *("self", "tasks", "authorized_cols", "rounds_to_train", "selected_task_group", "kwargs"),
        ),
        f"{_ASSIGNER}.get_tasks_for_collaborator": ("self", "collaborator_name", "round_number"),
        f"{_ASSIGNER}.get_collaborators_for_task": ("self", "task_name", "round_number"),
        f"{_ASSIGNER}.get_all_tasks_for_round": ("self", "round_number"),
        f"{_POLICY}.start_policy": ("self", "kwargs"),
        f"{_POLICY}.reset_policy_for_round": ("self",),
        f"{_POLICY}.straggler_cutoff_check": (
            *("self", "num_collaborators_done", "num_all_collaborators", "kwargs"),
        ),
        "openfl.federated.task.runner.TaskRunner.__init__": (
            *("self", "data_loader", "tensor_dict_split_fn_kwargs", "kwargs"),
        ),
        "openfl.federated.task.runner.TaskRunner.get_required_tensorkeys_for_function": (
            *("self", "func_name", "kwargs"),
        ),
        "openfl.federated.plan.Plan.parse": (
            *("plan_config_path", "cols_config_path", "data_config_path", "gandlf_config_path", "resolve"),
        ),
        "openfl.protocols.utils.construct_named_tensor": (
            *("tensor_key", "nparray", "transformer_metadata", "lossless"),
        ),
    }
)

logging.getLogger("openfl").setLevel(logging.CRITICAL)  # it tells of every call


class _Verbatim(Transformer):  # type: ignore[misc]  # untyped
    """Bytes as they are. OpenFL's own makes float32 of everything, and fails with NumPy 2.4."""

    lossy = False

    def forward(self, data: Any, **_: Any) -> tuple[bytes, dict[str, list[int]]]:
        """An array of bytes becomes bytes."""
        raw: bytes = data.tobytes()
        return raw, {"int_list": [len(raw)]}

    def backward(self, data: bytes, metadata: Any, **_: Any) -> Any:
        """And back."""
        return np.frombuffer(data, np.uint8)


class FlatBytes(TransformationPipeline):  # type: ignore[misc]  # untyped
    """The pipeline of both sides: a flat buffer of bytes travels as it is."""

    def __init__(self, **_: Any) -> None:
        super().__init__(transformers=[_Verbatim()])


class Orders(Assigner):  # type: ignore[misc]  # untyped
    """Says which sites work on the order of a round, and that OpenFL averages nothing afterwards."""

    def define_task_assignments(self) -> None:
        """Nobody works yet."""
        self.asked: dict[int, frozenset[str]] = {}

    def get_tasks_for_collaborator(self, collaborator_name: str, round_number: int) -> list[str]:
        """Both tasks, for a site that is asked."""
        return list(self.tasks) if collaborator_name in self.asked.get(round_number, ()) else []

    def get_collaborators_for_task(self, task_name: str, round_number: int) -> list[str]:
        """All that are asked."""
        return sorted(self.asked.get(round_number, ()))

    def get_all_tasks_for_round(self, round_number: int) -> list[str]:
        """None that has a result to average: rounds, strategy and checkpoint are ours."""
        return []


class CutOff(StragglerPolicy):  # type: ignore[misc]  # untyped
    """Ends OpenFL's round when our rounds say so, and never else: they know deadline, quorum and grace."""

    def __init__(self) -> None:
        self.now = False

    def start_policy(self, **_: Any) -> None:
        """No timer."""

    def reset_policy_for_round(self) -> None:
        """The next round has begun."""
        self.now = False

    def straggler_cutoff_check(
        self, num_collaborators_done: int, num_all_collaborators: int, **_: Any
    ) -> bool:
        """Whether it ends now."""
        return self.now


class Forgetful(Callback):  # type: ignore[misc]  # untyped
    """Drops what a site's database holds: OpenFL keeps the last order, and finds it again by its round."""

    def on_round_begin(self, round_num: int, logs: Any = None) -> None:
        """A round that broke off leaves nothing for this one."""
        self.tensor_db.tensor_db = self.tensor_db.tensor_db.iloc[:0]

    def on_round_end(self, round_num: int, logs: Any = None) -> None:
        """The answer is on its way."""
        self.on_round_begin(round_num)


def make_aggregator(
    names: list[str], *, uuid: str, federation: str, tasks: Mapping[str, Any], first: int
) -> Any:
    """OpenFL's aggregator, whose next round is `first`: no file, no database, no average, no callbacks.

    Args:
        names: of the sites.
        uuid: its own name.
        federation: the name of the federation.
        tasks: as OpenFL writes them in a plan.
        first: the number of its first round; a site may remember the numbers before.
    """
    last = first + (1 << 20)
    aggregator = Aggregator(
        aggregator_uuid=uuid,
        federation_uuid=federation,
        authorized_cols=names,
        init_state_path=None,
        best_state_path=None,
        last_state_path=None,
        assigner=Orders(tasks=dict(tasks), authorized_cols=names, rounds_to_train=last),
        rounds_to_train=last,
        initial_tensor_dict={"none": np.zeros(1, np.uint8)},
        compression_pipeline=FlatBytes(),
        use_delta_updates=False,
        straggler_handling_policy=CutOff,
        db_store_rounds=0,
        persist_checkpoint=False,  # a database of pickles; our checkpoint is whole
        callbacks=[],  # the default is one list for all aggregators of the process
    )
    aggregator.round_number = first
    return aggregator


def yaml_of(document: Mapping[str, Any]) -> str:
    """As OpenFL writes a plan."""
    text: str = yaml.safe_dump(dict(document))
    return text


def names_in(plan: Path) -> tuple[str, str]:
    """What `fx` calls the federation and its aggregator by this plan."""
    with hidden("torch", "keras", "tensorflow", "xgboost", "flwr", sklearn=_EMPTY):
        from openfl.federated.plan import Plan

    parsed = Plan.parse(plan)
    return str(parsed.federation_uuid), str(parsed.aggregator_uuid)


def end_round(aggregator: Any) -> None:
    """Cut off whoever has not answered; the next round is open, and nobody works in it."""
    aggregator.straggler_handling_policy.now = True
    aggregator._end_of_round_with_stragglers_check()
    aggregator.assigner.asked.clear()


def named_tensor(name: str, round_number: int, data: bytes, *tags: str) -> Any:
    """Bytes in OpenFL's envelope, as `FlatBytes` reads them."""
    key = TensorKey(name, "", round_number, False, (*tags, "compressed"))
    return construct_named_tensor(key, data, [{"int_list": [len(data)]}], lossless=True)
