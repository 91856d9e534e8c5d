"""Run a command as a fresh process and measure it: wall and processor seconds, peak memory."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    seconds: float
    cpu_seconds: float
    peak_mib: float


def measure(command: Sequence[str]) -> Run:
    """One run; a failure ends the benchmark with what the command said."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        told = process.stderr.read() if process.stderr else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit status {process.returncode}\n{told}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes there, KiB here
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 2**20)


def told(name: str, runs: Sequence[Run]) -> str:
    """One line: medians, the fastest run, and the peak memory."""
    seconds = [run.seconds for run in runs]
    return (
        f"{name:<44} {statistics.median(seconds):7.2f} s (fastest {min(seconds):.2f}, {len(runs)} runs), "
        f"processor {statistics.median(run.cpu_seconds for run in runs):.2f} s, "
        f"peak {max(run.peak_mib for run in runs):.0f} MiB"
    )


def machine() -> str:
    """Where this ran: figures of a busy machine are too slow, never too fast."""
    load = os.getloadavg()[0]
    python = sys.version.split()[0]
    return f"{os.cpu_count()} cores, load {load:.1f}, Python {python}; a new process each run, files cached"
