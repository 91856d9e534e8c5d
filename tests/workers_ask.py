"""A process that asks for workers, tells their numbers, and waits to be killed."""

import multiprocessing
import os
import sys
import time

from cryofed.workers import end_with_parent, pool


def busy() -> None:
    """Work for longer than any test."""
    end_with_parent()
    time.sleep(600)


def main(kind: str) -> None:
    if kind == "pool":
        with pool(2) as processes:
            print(*{processes.submit(os.getpid).result() for _ in range(4)}, flush=True)
            time.sleep(600)
    process = multiprocessing.get_context("forkserver").Process(target=busy, daemon=True)
    process.start()
    print(process.pid, flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1])
