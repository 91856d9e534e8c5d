"""The learner's process, seen from the site's own: it may crash or hang, and only the round is lost."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryofed.disk.logs import open_log

MODULE = "cryofed.federation.engines.remote.learner_child"


class LearnerProcess:
    """Owns one child process, which lives as long as the segment: no round imports torch again."""

    def __init__(self, home: Path, log: Path) -> None:
        # Tests and benchmarks put a faulty or an echoing learner here; whoever can set a site's environment
        # owns the site anyway.
        module = os.environ.get("CRYOFED_LEARNER", MODULE)
        with open_log(log) as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(home / "kit")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        self.ready = threading.Event()
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(self, message: Mapping[str, Any]) -> None:
        """Hand over an order; a dead child is noticed by `answer`."""
        threading.Thread(target=self._write, args=(json.dumps(dict(message)),), daemon=True).start()

    def answer(self, seconds: float) -> dict[str, Any] | None:
        """The child's next line; None if it takes longer.

        Raises:
            EOFError: the child is dead.
        """
        try:
            message = self._lines.get(timeout=seconds)
        except queue.Empty:
            return None
        if message is None:
            raise EOFError(f"the learner ended with status {self.process.wait(5)}")
        return message

    @property
    def warm(self) -> bool:
        """Whether it has said that it is there."""
        return self.ready.is_set()

    @property
    def alive(self) -> bool:
        """Whether it can take another order."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it now, if it has not ended, and close its pipes."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # an order that it never read
                    pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self.process.stdout:
                message = json.loads(line)
                if message.get("ready"):
                    self.ready.set()
                else:
                    self._lines.put(message)
        self._lines.put(None)

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it died, or was killed and its pipe closed
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
