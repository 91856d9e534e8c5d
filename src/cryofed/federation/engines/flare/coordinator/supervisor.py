"""Keep a campaign running: segments come and go, sites and the aggregator may die, the checkpoint stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryofed.errors import FederationError
from cryofed.federation.aggregator.hooks import Hook, tell
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.engines.flare import inside
from cryofed.federation.engines.flare.coordinator.segments import Desk, write_job
from cryofed.federation.engines.flare.coordinator.setbacks import Setbacks
from cryofed.federation.engines.flare.machines import FlareMachines, coordinator_name
from cryofed.federation.engines.flare.notes import NOBODY, SEGMENTS, Note, give_way, read_note, read_presence
from cryofed.federation.engines.remote import processes
from cryofed.trust.members import Registry

POLL_S = 0.1  # how often files are looked at
LOOK_S = 1.0  # how often the aggregator is asked
SETTLE_S = 5.0  # how long a first segment waits for sites beyond the quorum
FRESH_S = 12.0  # a site is connected if it was heard of within this time; sites call every 3 s
BEGIN_S = 90.0  # a submitted segment begins within seconds, or after the one before has closed its round
NOT_BEGUN = "the sites did not begin; see that they run (cryofed site status), then run again to resume"
HANDOVER_S = 10.0  # a site whose processes die again and again does not have segments begun faster than this
FRUITLESS = 3  # segments in a row that end without a new round


class Supervisor:
    """One `run`: it submits a segment, watches it, and submits the next one whenever that is needed.

    Our checkpoint and notes decide, not FLARE's job status: a job is ABNORMAL once a site was lost, though
    all rounds are done.
    """

    def __init__(
        self,
        plan: Plan,
        federation: Path,
        trial: str = "",
        wait_s: float = 60.0,
        hooks: Sequence[Hook] = (),
    ) -> None:
        self.plan, self.trial, self.wait_s = plan, trial, wait_s
        self.federation, self._machines = federation, FlareMachines()
        self.home = self._machines.home(federation)
        self.segments, self._registry = 0, Registry(self.home.registry)
        self._desk = Desk(self.home.coordinator, coordinator_name(plan))
        self.quorum = min(plan.rounds.min_updates, len(plan.site_names))
        self._segment = self._job = ""
        self._looked = self._submitted = 0.0
        self._absent: dict[str, float] = {}  # sites without part in the segment, and since when
        self._missing_since: float | None = None  # quorum not connected, or no answer
        self._mark, self._fruitless = self._progress(), 0
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
        if not processes.running(self.home.aggregator) or not self._aggregator_alive():
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
            status = self._desk.status(self._job)
        except FederationError as error:
            self._patience(str(error))
            return
        note = read_note(self.home.folder, self._segment)
        if note is not None:
            self._missing_since = None
        if note is None and (len(connected) < self.quorum or time.monotonic() - self._submitted > BEGIN_S):
            # FLARE lets a job wait for ever for sites that have died in this moment.
            self._desk.abort(self._job)
            self._segment_ended(Note(self._segment, "failed", NOT_BEGUN))
        elif status.startswith("FINISHED") and (note is None or note.state == "runs"):
            self._segment_ended(Note(self._segment, "failed", self._why(status)))
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
        job = write_job(self.home.folder / SEGMENTS / segment / "job", segment, sorted(connected), self.trial)
        self._job = self._desk.submit(job)
        self._segment, self._submitted, self._absent = segment, time.monotonic(), {}
        self._included = connected

    def _segment_ended(self, note: Note) -> None:
        """Forget it, so that another one follows; give up when none of several brought a round.

        However it ended: a site whose process dies at once makes FLARE end the segment as if by our wish.
        """
        fruitful = self._progress() != self._mark
        gone = set() if fruitful else self._note_deaths()
        self._segment = self._job = ""
        self._looked = 0.0
        self._mark = self._progress()
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
        if self._progress() != self._mark:
            self._setbacks.worked(self._included & there)
        out = self._setbacks.died(self._included - there)
        for site, seconds in out.items():
            tell(self._hooks, "site_left_out", {"site": site, "seconds": seconds})
        return set(out)

    def _returned(self, heard: Mapping[str, float]) -> bool:
        """Whether a site without part in the segment gave a sign of life since; FLARE would leave it out."""
        presence = read_presence(self.home.folder, self._segment)
        if presence is None:
            return False
        there, when = presence
        self._absent = {
            site: self._absent.get(site, when) for site in self.plan.site_names if site not in there
        }
        back = self._absent.keys() - self._setbacks.out()
        return any(heard.get(site, 0.0) > self._absent[site] + 0.5 for site in back)

    def _aggregator_alive(self) -> bool:
        """Whether its own process is there, not only a segment's that it left behind."""
        return any(
            inside.SERVER_MODULE in process.info["cmdline"]
            for process in processes.running(self.home.aggregator)
        )

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

    def _why(self, status: str) -> str:
        details = self._desk.meta(self._job).get("job_deploy_detail") or []
        told = "; ".join(str(line) for line in details if "OK" not in str(line))
        log = self.home.aggregator / "log.txt"
        return f"the segment ended as {status}{': ' + told if told else ''}; the aggregator's log is {log}"

    def _progress(self) -> tuple[tuple[str, int], ...]:
        """Changes with every closed round."""
        folder = self.home.folder / self.trial if self.trial else self.home.folder.parent / "campaigns"
        return tuple((str(path), path.stat().st_size) for path in sorted(folder.rglob("rounds.jsonl")))
