"""A headless Chromium and a served page, for benchmarks and for the pictures of the documentation."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import which
from typing import Any

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def chromium(width: int = 1440, height: int = 900) -> Iterator[Any]:
    """A browser with a profile of its own; ends the program with one line where there is none."""
    found = which("chromium") or which("chromium-browser") or which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if found is None:
        sys.exit("skipped: chromium or playwright is not installed")
    with sync_playwright() as driver, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        context = driver.chromium.launch_persistent_context(
            profile,
            executable_path=found,
            args=FLAGS,
            viewport={"width": width, "height": height},
            timeout=180_000,
        )
        context.set_default_timeout(180_000)  # ms; on a busy machine a page takes its time
        yield context
        context.close()


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The address that opens an application of `cryofed.web`."""
    from cryofed.web.server import guarded, open_port, server

    opening = open_port()
    running = server(guarded(app, opening))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [opening.listener]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield opening.address
    running.should_exit = True
    thread.join()
    opening.listener.close()
