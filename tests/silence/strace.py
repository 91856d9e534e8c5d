"""What a program did, from strace: the addresses it spoke to and the files it wrote."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

SENDING = ("connect", "sendto", "sendmsg", "sendmmsg", "bind")
MAKING = ("open", "openat", "creat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat")
SOCKET = re.compile(r'sa_family=AF_INET6?, .*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"')
PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<(?P<at>[^>]*)>, )?"(?P<path>[^"]*)"(?P<rest>[^"]*)')
WRITES = ("O_WRONLY", "O_RDWR", "O_CREAT")
DEVICES = ("/dev/", "/proc/", "/sys/")


@dataclass(frozen=True, slots=True)
class Deeds:
    """Addresses of the internet families that were named in a call, and paths that were made or written."""

    addresses: frozenset[str]
    written: frozenset[str]

    def outside(self, *folders: Path) -> list[str]:
        """What was written in none of the folders."""
        allowed = tuple(f"{folder}/" for folder in folders)
        return sorted(p for p in self.written if not f"{p}/".startswith((*allowed, *DEVICES)))


def deeds(log: str, cwd: Path) -> Deeds:
    """Read a log of `strace -f -y`. Calls that failed wrote nothing; an address counts even so."""
    addresses, written = set(), set()
    for line in log.splitlines():
        call = re.match(r"\d+ +(\w+)\((.*)", line)
        if call is None:
            continue
        name, arguments = call[1], call[2]
        addresses |= set(SOCKET.findall(arguments))
        if name in SENDING or re.search(r" = -1 E\w+", arguments):
            continue
        found = list(PATH.finditer(arguments))
        if name in ("open", "openat") and not any(flag in arguments for flag in WRITES):
            continue
        for one in found if name.startswith(("rename", "link")) else found[:1]:
            written.add(os.path.normpath(Path(one["at"] or cwd, one["path"])))
    return Deeds(frozenset(addresses), frozenset(written))


def run(
    folder: Path,
    arguments: list[object],
    *,
    home: Path,
    script: str = "",
    until: Callable[[subprocess.Popen[bytes], Path], None] | None = None,
    status: int = 0,
) -> Deeds:
    """Run `cryofed ARGUMENTS`, or a script, under strace in `folder`.

    With `until`, end it by Ctrl-C when that returns.
    `status`: with which the command ends.
    """
    program = shutil.which("strace")
    if program is None:
        pytest.skip("strace is not installed")
    log, printed = folder / "strace.log", folder / "printed.txt"
    # A socket's path has at most 107 bytes, a test's folder can be longer: a short place, told as `tmp`.
    short = tempfile.mkdtemp(prefix="s-")
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("XDG_", "MPL", "ORT_"))}
    environment |= {"HOME": str(home), "TMPDIR": short, "PYTHONDONTWRITEBYTECODE": "1"}
    environment["OMP_NUM_THREADS"] = "1"  # threads that wait for one another make a busy machine slower still
    calls = f"trace={','.join(SENDING + MAKING)}"
    strace = [program, "-f", "-y", "-qq", "--seccomp-bpf", "-e", calls, "-o", str(log)]
    command = [
        *strace,
        sys.executable,
        *(["-c", script] if script else ["-m", "cryofed"]),
        *map(str, arguments),
    ]
    with printed.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True
        )
        try:
            if until is not None:
                until(process, printed)
                _interrupt(process)
            ended = process.wait(800)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    text = printed.read_text()
    assert ended == status, text
    shutil.rmtree(short, ignore_errors=True)
    return deeds(log.read_text(errors="replace").replace(short, str(folder / "tmp")), folder)


def _interrupt(strace: subprocess.Popen[bytes]) -> None:
    """Ctrl-C for the program that strace runs."""
    children = Path(f"/proc/{strace.pid}/task/{strace.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGINT)


def line(printed: Path, word: str, process: subprocess.Popen[bytes]) -> str:
    """The first printed line with `word`, waited for."""
    end = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < end:
        for one in printed.read_text().splitlines():
            if word in one:
                return one
        time.sleep(0.1)
    pytest.fail(printed.read_text())
