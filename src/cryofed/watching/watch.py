"""Look at a project again and again, for weeks: every finished classification once."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryofed.errors import CryoFedError, OutputError
from cryofed.watching.finished import Finished, State, content_hash, finished, passed
from cryofed.watching.memory import Memory, Record
from cryofed.watching.select_one import Settings, now, resume, select_one
from cryofed.watching.summary import write_summary

HEARTBEAT_S = 300  # how often the summary says that the watch is alive


@dataclass(slots=True)
class Watch:
    """One project under watch. What it holds in memory is a few hundred bytes per job."""

    project: Path
    memory: Memory
    settings: Settings
    settle_s: float = 10.0
    tell: Callable[[Record], None] | None = None  # hears of each decision, beside the log
    stop: threading.Event = field(default_factory=threading.Event)
    passed: dict[str, str] = field(default_factory=dict)  # what cannot be watched, and why; said once
    done: dict[str, State] = field(default_factory=dict)  # files as they were when decided, this run
    trouble: str = ""  # why the project cannot be read now; said once
    written: float = float("-inf")  # when the summary was written, on the monotonic clock

    @property
    def out(self) -> Path:
        """The watch's own folder."""
        return self.memory.path.parent

    def look(self) -> int:
        """Select what has finished since the last look; how many jobs are still coming to rest."""
        waiting, before, trouble = 0, dict(self.memory.records), ""
        try:
            self._pass_by()
            for job in finished(self.project):
                if self.stop.is_set():
                    break
                if self.done.get(job.name) == job.state:
                    continue
                if job.age_s < self.settle_s or not self._take(job):
                    waiting += 1
        except (CryoFedError, OSError) as error:  # a disk that is full or gone: it may come back
            trouble = str(error)
        if before != self.memory.records or time.monotonic() - self.written > HEARTBEAT_S:
            trouble = self._summarize(trouble) or trouble
        if trouble and trouble != self.trouble:
            say(trouble)
        self.trouble = trouble
        return waiting

    def _pass_by(self) -> None:
        passed_now = passed(self.project)
        for name, why in passed_now.items():
            if self.passed.get(name) != why:
                say(f"{name}: passed by: {why}")
        self.passed = passed_now

    def run(self, interval_s: float) -> None:
        """Look until `stop` is set; a selection that has begun is finished first."""
        while not self.stop.is_set():
            self.look()
            self.stop.wait(interval_s)

    def _take(self, job: Finished) -> bool:
        """Decide one job, unless these very files were decided before; False where it cannot be read yet."""
        try:
            content = content_hash(job.files)
        except OSError:
            return False
        if not self._known(job, content):
            self._decide(job, content)
        self.done[job.name] = job.state
        return True

    def _known(self, job: Finished, content: str) -> bool:
        """Whether these contents were decided before, here or under another name."""
        known = self.memory.records.get(job.name)
        if known is not None and known.content == content:
            if known.outcome == "broken":
                return False  # once more in each run: the disk may be back, or CryoFed be mended
            whole = resume(known, self.out) if known.outcome == "writing" else known
            if whole is not None and whole is not known:
                self.memory.keep(whole)
                self._say(whole)
            return whole is not None
        same = self.memory.by_content(content)
        if same is None:
            return False
        note = f"same files as {same.name}"
        record = Record(name=job.name, content=content, outcome="same", when=now(), note=note)
        self.memory.keep(record)
        self._say(record)
        return True

    def _say(self, record: Record) -> None:
        say(line(record))
        if self.tell:
            self.tell(record)

    def _decide(self, job: Finished, content: str) -> None:
        try:
            record = select_one(job, content, self.out, self.settings, self.memory.keep)
        except OutputError:
            raise
        except Exception as error:  # whatever one job holds, the others must go on
            why = str(error) if isinstance(error, CryoFedError) else f"{type(error).__name__}: {error}"
            if not isinstance(error, CryoFedError):
                say(traceback.format_exc().rstrip())
            record = Record(name=job.name, content=content, outcome="broken", when=now(), note=why)
            self.memory.keep(record)
        self._say(record)

    def _summarize(self, trouble: str) -> str:
        """Write the page; what kept it from being written."""
        try:
            write_summary(self.out, self.project, list(self.memory.records.values()), trouble)
        except OutputError as error:
            return str(error)
        self.written = time.monotonic()
        return ""


def line(record: Record) -> str:
    """One line for the log."""
    if record.outcome in ("same", "broken"):
        return f"{record.name}: {record.outcome}: {record.note}"
    parts = [f"{record.classes_kept} of {record.classes} classes"]
    if record.particles and record.particles_kept is not None:
        parts.append(f"{100 * record.particles_kept / record.particles:.0f} % of the particles")
    if lost := record.views - record.views_kept:
        parts.append(f"none of {lost} of the {record.views} groups that look alike")
    learnt = f"; {record.learnt}" if record.learnt else ""
    if record.outcome == "look":
        return f"{record.name}: please look: {record.note}; nothing was written but a report{learnt}"
    return f"{record.name}: kept {', '.join(parts)}{learnt}"


def say(text: str) -> None:
    """One line of the log, with the time, on standard error."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    print(f"{stamp} {text}", file=sys.stderr, flush=True)
