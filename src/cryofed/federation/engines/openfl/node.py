"""A site's process, `python -m …openfl.node KIT`: OpenFL's collaborator, run again whenever it ends."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from cryofed import __version__
from cryofed.disk.whole import write_whole
from cryofed.errors import FederationError
from cryofed.federation.engines.openfl import inside, words
from cryofed.federation.engines.openfl.calls import (
    Client,
    RefusedError,
    StoppedError,
    SupersededError,
    UnreachableError,
)
from cryofed.federation.engines.openfl.runner import Runner
from cryofed.federation.engines.remote.homes import TRANSFER, SiteHome
from cryofed.federation.engines.remote.processes import MARK, REFUSED
from cryofed.federation.engines.remote.serving import say
from cryofed.federation.engines.remote.working import LOG, Learner, Work
from cryofed.trust.identity import Identity

LONGEST_PAUSE_S = 2.0  # between two attempts to reach the aggregator
FIRST_PAUSE_S = 0.2


class Node:
    """One site: a collaborator of OpenFL's, and beside it a thread that asks if its order counts."""

    def __init__(
        self,
        identity: Identity,
        aim: words.Aim,
        kit: Path,
        make_learner: Callable[[], Learner],
    ) -> None:
        self.client = Client(identity, aim, uuid.uuid4().hex)
        self.client.came_in = self._came_in
        self.stop = self.client.stop
        self._kit, self._make_learner = kit, make_learner
        self._work: Work | None = None
        self._number = 0  # of the open round, when last asked; numbers only grow
        self._pause, self._told = FIRST_PAUSE_S, ""

    @property
    def warm(self) -> bool:
        """Whether its learner has said that it is there."""
        return self._work is not None and self._work.warm

    def run(self) -> None:
        """Until `stop`.

        Raises:
            RefusedError: the aggregator does not let us in, and never has since this process began.
            SupersededError: another process of this site has come in since.
        """
        self._work = work = Work(self._make_learner)
        runner = Runner(work, self._kit.parent / TRANSFER, self._wanted)
        beats = threading.Thread(target=self._beat, daemon=True)
        beats.start()
        try:
            while not self.stop.is_set():
                self._collaborate(runner)
        finally:
            self.stop.set()
            work.close()
            beats.join(2)
            self.client.channel.close()

    def _collaborate(self, runner: Runner) -> None:
        client = self.client
        try:
            inside.Collaborator(
                client.collaborator_name, client.aggregator_uuid, client.federation_uuid, client, runner,
                words.TASKS, compression_pipeline=inside.FlatBytes(), callbacks=[inside.Forgetful()],
            ).run()  # fmt: skip
            self._away("the aggregator has ended")
        except StoppedError:
            return
        except RefusedError as error:
            if isinstance(error, SupersededError) or not (self._kit / MARK).exists():
                raise
            self._away(f"the aggregator refuses: {error}")
        except UnreachableError as error:
            self._away(f"the aggregator does not answer: {error}")
            client.renew()
        except (FederationError, OSError, ValueError, KeyError) as error:
            self._away(f"{type(error).__name__}: {error}")

    def _came_in(self) -> None:
        if not (self._kit / MARK).exists():
            (self._kit / MARK).write_text(__version__ + "\n")
            say("the aggregator has let this site in")
        elif self._told:
            say("the aggregator answers again")
        self._told, self._pause = "", FIRST_PAUSE_S

    def _away(self, reason: str) -> None:
        if reason.split(";", 1)[0] != self._told:  # what follows names one address or another
            say(reason)
        self._told = reason.split(";", 1)[0]
        self.stop.wait(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)

    def _wanted(self, number: int) -> bool:
        if self.stop.is_set():
            raise StoppedError("told to stop")
        return self._number <= number  # the last look may be older than the order

    def _beat(self) -> None:
        """A sign of life, while the collaborator works, fetches and sends too."""
        while not self.stop.wait(words.BEAT_S):
            with contextlib.suppress(FederationError):  # the collaborator notices
                self._number = self.client.beat()


def main(kit: Path) -> int:
    """Serve this site until it is told to stop."""
    from cryofed.federation.engines.remote.invitation import read_invitation
    from cryofed.federation.engines.remote.learner_process import LearnerProcess
    from cryofed.trust.certificates import read_certificate

    home = SiteHome(kit.parent)
    (kit / REFUSED).unlink(missing_ok=True)
    invitation = read_invitation(home.invitation)
    aim = words.Aim(
        host=invitation.host,
        port=invitation.port,
        site=read_certificate(home.identity.certificate).name,
        federation=invitation.federation,
    )
    node = Node(home.identity, aim, home.kit, lambda: LearnerProcess(home.folder, home.folder / LOG))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: node.stop.set())
    try:
        node.run()
    except RefusedError as error:
        write_whole(kit / REFUSED, str(error).encode())
        say(f"the aggregator does not let us in: {error}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
