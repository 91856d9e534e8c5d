"""The machine: processors, memory, disk, graphics card, clock."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from cryofed.doctor.finding import Finding, bad, good, note

LEAST_FREE = 2**30  # bytes of disk: a library of 10,000 averages has 300 MB, a release 5 MB
LEAST_MEMORY = 2 * 2**30  # bytes: a site that trains with the product's defaults takes under 1.5 GB
SECONDS = 5.0


def machine(folder: Path) -> list[Finding]:
    """All checks of this file; `folder` is where the work will lie."""
    return [*_computing(), _disk(folder), _device(), _clock()]


def _computing() -> list[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    findings = [good("processor", f"{cores} cores for this user")]
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # not on this system
        return findings
    size = f"{memory / 2**30:.1f} GiB"
    if memory < LEAST_MEMORY:
        return [*findings, note("memory", size, "enough to select; training may need 2 GiB")]
    return [*findings, good("memory", size)]


def _disk(folder: Path) -> Finding:
    place = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    subject = f"disk of {folder}"
    if not os.access(place, os.W_OK | os.X_OK):
        return bad(subject, f"{place} is not writable for this user", "choose another folder, or its rights")
    free = shutil.disk_usage(place).free
    space = f"{free / 2**30:.1f} GiB free"
    return good(subject, space) if free >= LEAST_FREE else bad(subject, space, "make room: 1 GiB at least")


def _device() -> Finding:
    if find_spec("torch") is None:
        return note("graphics card", "not looked for: no PyTorch here", "selecting needs none")
    import torch

    from cryofed.learning.device import device_of

    device = device_of("auto")
    if device.type == "cuda":
        return good("graphics card", torch.cuda.get_device_name(device))
    if device.type == "mps":
        return good("graphics card", "Apple's, by MPS")
    return note("graphics card", f"none that PyTorch {torch.__version__} sees: training takes the processor")


def _clock() -> Finding:
    """Certificates are refused by a machine whose clock is wrong."""
    tool = shutil.which("timedatectl")
    if tool is None:
        return note("clock", "cannot tell whether it is synchronized: no timedatectl here")
    try:
        words = [tool, "show", "--property=NTPSynchronized", "--value"]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return note("clock", "cannot tell whether it is synchronized: timedatectl does not answer")
    if answer.returncode:
        return note("clock", "cannot tell whether it is synchronized: systemd does not run here")
    if answer.stdout.strip() == "yes":
        return good("clock", "synchronized")
    remedy = "switch on NTP: a wrong clock makes certificates invalid"
    return note("clock", "not synchronized", remedy)
