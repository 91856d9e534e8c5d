"""Workers: none outlives the process that asked for them, however that one ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("kind", ["pool", "forkserver"])
def test_a_killed_process_leaves_no_worker(kind: str) -> None:
    words = [sys.executable, "-m", "tests.workers_ask", kind]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        workers = [psutil.Process(int(word)) for word in process.stdout.readline().split()]
        assert workers
        time.sleep(0.5)  # a worker may still be importing
        assert all(worker.is_running() for worker in workers)
        os.kill(process.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
