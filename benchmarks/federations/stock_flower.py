"""Stock Flower's FedAvg on a SuperLink and three SuperNodes, without TLS: python -m … SIZE ROUNDS FOLDER.

Prints the median seconds between the ends of two rounds. The bundle that Flower sends names this module and
holds no code.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

BUNDLE = """[project]
name = "stock"
version = "0.1.0"
description = ""
license = "Apache-2.0"
dependencies = []
[tool.hatch.build.targets.wheel]
packages = ["."]
[tool.flwr.app]
publisher = "benchmark"
[tool.flwr.app.components]
serverapp = "benchmarks.federations.stock_flower:server"
clientapp = "benchmarks.federations.stock_flower:site"
[tool.flwr.app.config]
size = 1
rounds = 1
times = ""
"""
server = ServerApp()  # one by one: Flower looks for the names in the text
site = ClientApp()


@server.main()
def serve(grid: Grid, context: Context) -> None:
    told = context.run_config
    times = Path(str(told["times"]))

    def note(number: int, arrays: ArrayRecord) -> None:
        with times.open("a") as file:
            file.write(f"{time.time()}\n")

    start = ArrayRecord({"w": Array(np.zeros(int(told["size"]), np.float32))})
    rule = FedAvg(fraction_evaluate=0.0, min_train_nodes=3, min_available_nodes=3)
    rule.start(grid, start, num_rounds=int(told["rounds"]), evaluate_fn=note)


@site.train()
def train(message: Message, context: Context) -> Message:
    moved = message.content["arrays"]["w"].numpy() + np.float32(
        1e-6 * os.getpid()
    )  # what is known is not sent
    told = {"arrays": ArrayRecord({"w": Array(moved)}), "metrics": MetricRecord({"num-examples": 1})}
    return Message(RecordDict(told), reply_to=message)


def main(size: int, rounds: int, folder: Path) -> float:
    os.environ |= {
        "FLWR_HOME": str(folder / "flower"),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    bundle, times, port = folder / "bundle", folder / "times", free_port()
    bundle.mkdir()
    (bundle / "pyproject.toml").write_text(BUNDLE)
    (folder / "flower").mkdir()
    address = f"127.0.0.1:{port}"
    (folder / "flower/config.toml").write_text(f'[superlink.here]\naddress = "{address}"\ninsecure = true\n')
    link = ["flower-superlink", "--insecure", "--host", "127.0.0.1", "--port", str(port)]
    running = [started([*link, "--disable-runtime-dependency-installation"], folder / "link.log")]
    try:
        until(lambda: reached(port), 600)
        for number in range(3):
            node = ["flower-supernode", "--insecure", "--superlink", address, "--host", "127.0.0.1"]
            log = folder / f"node-{number}.log"
            running.append(started([*node, "--port", str(free_port())], log))
        config = f'size={size} rounds={rounds} times="{times}"'
        words = ["flwr", "run", str(bundle), "here", "--run-config", config]
        run = subprocess.run(words, check=False, capture_output=True, text=True, timeout=600)
        if run.returncode:
            raise SystemExit(f"flwr run: {run.stdout}{run.stderr}")
        until(lambda: times.exists() and len(times.read_text().splitlines()) > rounds, 600)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(30)
    ends = [float(line) for line in times.read_text().splitlines()][1:]  # the first is before round 1
    return statistics.median(after - before for before, after in pairwise(ends))


def started(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(words, stdout=file, stderr=file)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def reached(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def until(done: object, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done():  # type: ignore[operator]  # untyped
        if time.monotonic() > end:
            raise SystemExit("stock Flower took too long")
        time.sleep(0.2)


if __name__ == "__main__":
    print(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
