"""Start, find and stop the processes of a kit; nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from cryofed.disk.logs import open_log
from cryofed.errors import FederationError
from cryofed.federation.engines.remote.homes import TRANSFER

MARK = "registered"  # a file in a site's kit: the aggregator has let this process in
REFUSED = "refused"  # a file in a site's kit: why the aggregator has not let this process in
CONSOLE = "console.log"  # in a kit: what its processes print


def environment(kit: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """A kit's processes see this environment, temporary files in the kit, and what the engine adds."""
    temporary = kit / "temporary"
    temporary.mkdir(mode=0o700, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    paths = os.environ.get("PYTHONPATH", "")
    if paths:
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(part).resolve()) for part in paths.split(os.pathsep))
    return kept | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"} | dict(extra)


def start(kit: Path, command: Sequence[str], extra: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a kit's process in a session of its own, its output in the kit's `console.log`."""
    _prepare(kit)
    with open_log(kit / CONSOLE) as log:
        return subprocess.Popen(
            list(command), cwd=kit, env=environment(kit, extra), stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip


def become(kit: Path, command: Sequence[str], extra: Mapping[str, str]) -> None:
    """Turn this process into the kit's (for systemd, which then owns and restarts it)."""
    _prepare(kit)
    os.chdir(kit)
    os.execve(command[0], list(command), environment(kit, extra))


def _prepare(kit: Path) -> None:
    if running(kit):
        raise FederationError(f"{kit.parent}: runs already; stop it first")
    for mark in (MARK, REFUSED):
        (kit / mark).unlink(missing_ok=True)
    shutil.rmtree(kit.parent / TRANSFER, ignore_errors=True)  # of processes that were killed


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float, who: str) -> None:
    """Wait for a started process; one line if it ends or takes too long."""
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise FederationError(f"{who} ended at once with status {process.returncode}")
        if time.monotonic() > end:
            raise FederationError(f"{who} was not ready after {seconds:.0f} s")
        time.sleep(0.1)


def let_go(process: subprocess.Popen[bytes]) -> None:
    """It outlives this command; without this, Python warns that nobody waits for it."""
    process.returncode = 0


def running(kit: Path) -> list[psutil.Process]:
    """Every process that works for this kit: its folder stands in each of their command lines."""
    workers, marks = [], (str(kit), str(kit) + os.sep)
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.pid == os.getpid() or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        if "-m" in words and any(word == marks[0] or word.startswith(marks[1]) for word in words[1:]):
            workers.append(process)
    return workers


def stop(kits: Sequence[Path], seconds: float = 3.0) -> int:
    """Stop every process of these kits, politely, then not; return how many there were."""
    victims: dict[int, psutil.Process] = {}
    for process in [process for kit in kits for process in running(kit)]:
        try:
            for one in [process, *process.children(recursive=True)]:
                victims[one.pid] = one
        except psutil.NoSuchProcess:
            continue
    for process in victims.values():
        _signal(process.terminate)
    _, alive = psutil.wait_procs(list(victims.values()), timeout=seconds)
    for process in [*alive, *(process for kit in kits for process in running(kit))]:
        _signal(process.kill)
    psutil.wait_procs(alive, timeout=seconds)
    for kit in kits:
        (kit / MARK).unlink(missing_ok=True)
    return len(victims)


def _signal(send: Callable[[], None]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        send()
