"""Keep a campaign running: segments come and go, sites and the aggregator may die, the checkpoint stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cryofed.errors import FederationError
from cryofed.federation.aggregator.hooks import Hook, tell
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.remote import processes
from cryofed.federation.engines.remote.following import progress
from cryofed.federation.engines.remote.machines import RemoteMachines
from cryofed.federation.engines.remote.segments import (
    NOBODY,
    SEGMENTS,
    Note,
    give_way,
    read_note,
    read_presence,
)
from cryofed.federation.engines.remote.setbacks import Setbacks
from cryofed.trust.members import Registry

POLL_S = 0.1  # how often files are looked at
LOOK_S = 1.0  # how often the aggregator is asked
SETTLE_S = 5.0  # how long a first segment waits for sites beyond the quorum
FRESH_S = 12.0  # a site is connected if it was heard of within this time; sites call every few seconds
BEGIN_S = 90.0  # a submitted segment begins within seconds, or after the one before has closed its round
NOT_BEGUN = "the sites did not begin; see that they run (cryofed site status), then run again to resume"
HANDOVER_S = 10.0  # a site whose processes die again and again does not have segments begun faster than this
FRUITLESS = 3  # segments in a row that end without a new round


class Desk(Protocol):
    """The coordinator's talk with the aggregator of an engine that has jobs.

    Every call ends in time, or raises `FederationError` with one line.
    """

    def alive(self) -> bool:
        """Whether the aggregator's own process is there, not only a segment's that it left behind."""
        ...

    def heard_of(self) -> Mapping[str, float]:
        """Sites that are registered, and when their last sign of life came (seconds of the epoch)."""
        ...

    def submit(self, folder: Path, segment: str, sites: Sequence[str], trial: str) -> str:
        """Hand in a segment for these sites; the job's name. What it needs is written into `folder`."""
        ...

    def ended(self, job: str) -> str:
        """Why a job has ended, as the engine sees it; empty while it waits or runs."""
        ...

    def abort(self, job: str) -> None:
        """End a job; one that has ended already is fine."""
        ...

    def close(self) -> None:
        """End the talk, until the next call begins it anew."""
        ...


class Supervisor:
    """One `run`: it submits a segment, watches it, and submits the next one whenever that is needed.

    Our checkpoint and notes decide, not what the engine says of a job: to FLARE, a job is abnormal once a
    site was lost, though all rounds are done.
    """

    def __init__(
        self,
        plan: Plan,
        federation: Path,
        machines: RemoteMachines,
        desk: Desk,
        *,
        trial: str = "",
        wait_s: float = 60.0,
        hooks: Sequence[Hook] = (),
    ) -> None:
        self.plan, self.trial, self.wait_s = plan, trial, wait_s
        self.federation, self._machines, self._desk = federation, machines, desk
        self.home = machines.home(federation)
        self.segments, self._registry = 0, Registry(self.home.registry)
        self.quorum = min(plan.rounds.min_updates, len(plan.site_names))
        self._segment = self._job = ""
        self._looked = self._submitted = 0.0
        self._absent: dict[str, float] = {}  # sites without part in the segment, and since when
        self._missing_since: float | None = None  # quorum not connected, or no answer
        self._mark, self._fruitless = self._closed(), 0
        self._hooks, self._setbacks = hooks, Setbacks()
        self._blamed: set[str] = set()
        self._included: set[str] = set()  # sites that the segment was submitted with

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Until the campaign is done; `tick` is called several times a second.

        Raises:
            FederationError: it cannot go on; a later `run` resumes from the checkpoint.
        """
        try:
            while not self._finished():
                tick()
                if time.monotonic() - self._looked > LOOK_S:
                    self._look()
                    self._looked = time.monotonic()
                time.sleep(POLL_S)
            tick()
        except KeyboardInterrupt:
            give_way(self.home.folder, NOBODY)  # the segment stops after its round
            raise
        finally:
            self._desk.close()

    def _finished(self) -> bool:
        note = read_note(self.home.folder, self._segment) if self._segment else None
        if note is None:
            return False
        if note.state == "finished":
            return True
        if note.state in ("ended", "failed"):
            self._segment_ended(note)
        return False

    def _look(self) -> None:
        if not processes.running(self.home.aggregator) or not self._desk.alive():
            self._restart()
            return
        try:
            heard = self._desk.heard_of()
            connected = {
                site for site in self.plan.site_names if time.time() - heard.get(site, 0.0) < FRESH_S
            } - self._registry.revoked()
            if not self._segment:
                self._begin(connected)
                return
            ended = self._desk.ended(self._job)
        except FederationError as error:
            self._patience(str(error))
            return
        note = read_note(self.home.folder, self._segment)
        if note is not None:
            self._missing_since = None
        if note is None and (len(connected) < self.quorum or time.monotonic() - self._submitted > BEGIN_S):
            # An engine may let a job wait for ever for sites that have died in this moment.
            self._desk.abort(self._job)
            self._segment_ended(Note(self._segment, "failed", NOT_BEGUN))
        elif ended and (note is None or note.state == "runs"):
            self._segment_ended(Note(self._segment, "failed", ended))
        elif (
            self._returned({site: heard[site] for site in connected})
            and time.monotonic() - self._submitted > HANDOVER_S
        ):
            self._begin(connected)

    def _begin(self, connected: set[str]) -> None:
        """Submit a segment with the sites that are connected; an older one gives way between two rounds."""
        names = self.plan.site_names
        if len(connected) < self.quorum:
            self._patience(
                f"{len(connected)} of {len(names)} sites are connected and the quorum is {self.quorum}; "
                "start the sites (cryofed site start), then run again to resume"
            )
            return
        if len(connected) < len(names) and not self._segment and self._waited() < SETTLE_S:
            return
        if self._segment:  # a site has come back whose process died in this segment
            self._note_deaths()
        sound = connected - self._setbacks.out()
        connected = sound if len(sound) >= self.quorum else connected
        self.segments += 1
        segment = f"{time.strftime('%Y%m%d-%H%M%S')}-{self.segments}"
        give_way(self.home.folder, segment)
        folder = self.home.folder / SEGMENTS / segment / "job"
        self._job = self._desk.submit(folder, segment, sorted(connected), self.trial)
        self._segment, self._submitted, self._absent = segment, time.monotonic(), {}
        self._included = connected

    def _segment_ended(self, note: Note) -> None:
        """Forget it, so that another one follows; give up when none of several brought a round.

        However it ended: a site whose process dies at once can make an engine end the segment as if by our
        wish.
        """
        fruitful = self._closed() != self._mark
        gone = set() if fruitful else self._note_deaths()
        self._segment = self._job = ""
        self._looked = 0.0
        self._mark = self._closed()
        # Whoever was left out now may have been the reason: the others get their own tries.
        self._fruitless = 1 if fruitful or gone - self._blamed else self._fruitless + 1
        self._blamed |= gone
        if self._fruitless >= FRUITLESS:
            blamed = f"; left out: {', '.join(sorted(self._blamed))}" if self._blamed else ""
            raise FederationError(f"{FRUITLESS} segments ended without a round: {note.words}{blamed}")

    def _note_deaths(self) -> set[str]:
        """Sites of this segment whose process is not there, and that are left out from now on."""
        presence = read_presence(self.home.folder, self._segment)
        if presence is None:
            return set()
        there, _ = presence
        if self._closed() != self._mark:
            self._setbacks.worked(self._included & there)
        out = self._setbacks.died(self._included - there)
        for site, seconds in out.items():
            tell(self._hooks, "site_left_out", {"site": site, "seconds": seconds})
        return set(out)

    def _returned(self, heard: Mapping[str, float]) -> bool:
        """Whether a site without part in the segment gave a sign of life since; the engine leaves it out."""
        presence = read_presence(self.home.folder, self._segment)
        if presence is None:
            return False
        there, when = presence
        self._absent = {
            site: self._absent.get(site, when) for site in self.plan.site_names if site not in there
        }
        back = self._absent.keys() - self._setbacks.out()
        return any(heard.get(site, 0.0) > self._absent[site] + 0.5 for site in back)

    def _restart(self) -> None:
        processes.stop([self.home.aggregator], 0.5)
        self._desk.close()
        self._segment = self._job = ""
        self._machines.start(self.plan, self.federation)

    def _patience(self, words: str) -> None:
        if self._waited() > self.wait_s:
            raise FederationError(words)

    def _waited(self) -> float:
        now = time.monotonic()
        self._missing_since = now if self._missing_since is None else self._missing_since
        return now - self._missing_since

    def _closed(self) -> tuple[tuple[str, int], ...]:
        return progress(self.home.folder / self.trial if self.trial else self.federation / "campaigns")
