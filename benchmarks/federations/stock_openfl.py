"""Stock OpenFL's averaging with three collaborators, without TLS: python -m … SIZE ROUNDS FOLDER.

Prints the median seconds between the ends of two rounds. The pipeline is ours: OpenFL's own fails with the
NumPy of today. All else is as OpenFL has it: its pauses of 10 s, and its database.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from openfl.callbacks import LambdaCallback
from openfl.component import Aggregator, Collaborator, StaticGroupedAssigner
from openfl.federated.task.runner import TaskRunner
from openfl.interface.aggregation_functions import WeightedAverage
from openfl.pipelines.pipeline import Float32NumpyArrayToBytes, TransformationPipeline
from openfl.transport import AggregatorGRPCClient, AggregatorGRPCServer
from openfl.utilities import TensorKey

NAMES = ["one", "two", "three"]
TASK = "train"


class Floats(Float32NumpyArrayToBytes):
    def backward(self, data: bytes, metadata: Any, **_: Any) -> Any:
        return np.frombuffer(data, np.float32).reshape(tuple(metadata["int_list"]))


def pipeline() -> Any:
    return TransformationPipeline(transformers=[Floats()])


class Moves(TaskRunner):
    def get_required_tensorkeys_for_function(self, *_: Any, **__: Any) -> Any:
        return [TensorKey("w", "GLOBAL", 0, False, ("model",))]

    def get_train_data_size(self) -> int:
        return 1

    def train(self, col_name: str, round_num: int, input_tensor_dict: Any, **_: Any) -> Any:
        told = {
            TensorKey("w", col_name, round_num, False, ("trained",)): input_tensor_dict["w"]
            + np.float32(1e-6),
            TensorKey("score", col_name, round_num, True, ("metric", "validate_agg")): np.array(1.0),
        }
        return told, {}


def serve(port: int, size: int, rounds: int, folder: Path) -> None:
    times = folder / "times"

    def note(number: int, logs: Any = None) -> None:
        with times.open("a") as file:
            file.write(f"{time.time()}\n")

    tasks = {TASK: {"function": "train", "kwargs": {}, "aggregation_type": WeightedAverage()}}
    group = {"name": "all", "collaborators": NAMES, "tasks": [TASK]}
    assigner = StaticGroupedAssigner([group], tasks=tasks, authorized_cols=NAMES, rounds_to_train=rounds)
    aggregator = Aggregator(
        "aggregator", "bench", NAMES, None, str(folder / "best"), str(folder / "last"), assigner,
        use_delta_updates=False, rounds_to_train=rounds, compression_pipeline=pipeline(),
        initial_tensor_dict={"w": np.zeros(size, np.float32)}, db_store_rounds=2,
        persistent_db_path=str(folder / "tensor.db"), callbacks=[LambdaCallback(on_round_end=note)],
    )  # fmt: skip
    AggregatorGRPCServer(aggregator, port, use_tls=False).serve()


def take_part(port: int, name: str) -> None:
    client = AggregatorGRPCClient("localhost", port, "aggregator", "bench", name, use_tls=False)
    tasks = {TASK: {"function": "train", "kwargs": {}}}
    Collaborator(
        name, "aggregator", "bench", client, Moves(None), tasks, compression_pipeline=pipeline(), callbacks=[]
    ).run()


def main(size: int, rounds: int, folder: Path) -> float:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = str(one.getsockname()[1])
    own = [sys.executable, "-m", "benchmarks.federations.stock_openfl"]
    roles = [["serve", port, str(size), str(rounds), str(folder)], *(["site", port, name] for name in NAMES)]
    running = []
    for role in roles:
        with (folder / f"{role[0]}-{role[-1].replace('/', '_')}.log").open("wb") as log:
            running.append(subprocess.Popen([*own, *role], stdout=log, stderr=log))
    try:
        running[0].wait(900)
    finally:
        for process in running:
            process.kill()
            process.wait()
    ends = [float(line) for line in (folder / "times").read_text().splitlines()]
    return statistics.median(after - before for before, after in pairwise(ends))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
    elif sys.argv[1] == "site":
        take_part(int(sys.argv[2]), sys.argv[3])
    else:
        print(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
