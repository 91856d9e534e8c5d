"""Start, find and stop the processes of a kit; nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from cryofed.errors import FederationError
from cryofed.federation.engines.flare.certificates import read_certificate
from cryofed.federation.engines.flare.inside import LARGEST_MESSAGE, RETRY_S
from cryofed.federation.engines.flare.site.greeter import MARK
from cryofed.federation.engines.remote.homes import TRANSFER

# Both sides hold RSA keys, so no cipher of TLS 1.2 fits this one; those of TLS 1.3 are always on. gRPC has no
# setting for the lowest version.
_ONLY_TLS_1_3 = "ECDHE-ECDSA-AES256-GCM-SHA384"


def aggregator_command(kit: Path) -> list[str]:
    """What runs the aggregator."""
    return _command(kit, "server", f"org={read_certificate(kit / 'startup/server.crt').organization}")


def site_command(kit: Path) -> list[str]:
    """What runs a site."""
    own = read_certificate(kit / "startup/client.crt")
    beat = "heart_beat_interval=3"  # FLARE's 10 s would tell late that a site has come back
    return _command(kit, "client", f"uid={own.name}", f"org={own.organization}", beat)


def environment(kit: Path) -> dict[str, str]:
    """The environment of a kit's processes: their temporary files lie in the kit, and TLS is 1.3."""
    temporary = kit / "temporary"
    temporary.mkdir(mode=0o700, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    paths = os.environ.get("PYTHONPATH", "")
    if paths:
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(part).resolve()) for part in paths.split(os.pathsep))
    return kept | {
        "TMPDIR": str(temporary),
        "GRPC_SSL_CIPHER_SUITES": _ONLY_TLS_1_3,
        "GRPC_VERBOSITY": "ERROR",
        "NVFLARE_STREAMING_MAX_BLOB_SIZE": str(LARGEST_MESSAGE),
        "NVFLARE_STREAMING_RETRY_TIMEOUT": str(RETRY_S),
        # One heap has fewer gaps than many; a site's threads also train, and are not to wait for each other.
        "MALLOC_ARENA_MAX": "1" if (kit / "startup/server.crt").exists() else "2",
        "PYTHONUNBUFFERED": "1",
    }


def start(kit: Path, command: list[str]) -> subprocess.Popen[bytes]:
    """Start a kit's process in a session of its own, its output in the kit's `console.log`."""
    _prepare(kit)
    with (kit / "console.log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=kit, env=environment(kit), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


def become(kit: Path, command: list[str]) -> None:
    """Turn this process into the kit's (for systemd, which then owns and restarts it)."""
    _prepare(kit)
    os.chdir(kit)
    os.execve(command[0], command, environment(kit))


def _prepare(kit: Path) -> None:
    if running(kit):
        raise FederationError(f"{kit.parent}: runs already; stop it first")
    (kit / MARK).unlink(missing_ok=True)
    (kit / "transfer").mkdir(exist_ok=True)  # FLARE's own
    shutil.rmtree(kit.parent / TRANSFER, ignore_errors=True)  # of processes that were killed


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float, what: str
) -> None:
    """Wait for a started process; one line if it ends or takes too long."""
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise FederationError(f"{what} ended at once with status {process.returncode}")
        if time.monotonic() > end:
            raise FederationError(f"{what} was not ready after {seconds:.0f} s")
        time.sleep(0.1)


def let_go(process: subprocess.Popen[bytes]) -> None:
    """It outlives this command; without this, Python warns that nobody waits for it."""
    process.returncode = 0


def running(kit: Path) -> list[psutil.Process]:
    """Every process that works for this kit: its folder stands in each of their command lines."""
    found, marks = [], (str(kit), str(kit) + os.sep)
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.pid == os.getpid() or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        if "-m" in words and any(word == marks[0] or word.startswith(marks[1]) for word in words[1:]):
            found.append(process)
    return found


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


def _command(kit: Path, kind: str, *settings: str) -> list[str]:
    module = f"nvflare.private.fed.app.{kind}.{kind}_train"
    words = ["-m", module, "-m", str(kit), "-s", f"fed_{kind}.json", "--set", "secure_train=true", *settings]
    return [sys.executable, "-u", *words, "config_folder=config"]
