"""At the aggregator: one FLARE job is one segment of our campaign, and our rounds decide."""

from __future__ import annotations

import fcntl
import json
import time
from pathlib import Path

from nvflare.apis.fl_constant import FLContextKey
from nvflare.app_common.workflows.base_fedavg import BaseFedAvg

from cryofed.errors import CryoFedError
from cryofed.federation.engines.flare.carrier import FlareCarrier, SegmentEndError
from cryofed.federation.storage import write_whole

CAMPAIGNS = "campaigns"  # in the federation's folder
SEGMENT = "segment.json"  # in the campaign's folder: how its last segment stands
LOCK_S = 30.0  # how long a segment waits for the one before it


class RoundController(BaseFedAvg):  # type: ignore[misc]  # FLARE is untyped
    """The one class that a job may name at the aggregator.

    Of `BaseFedAvg` it keeps the life cycle only. Quorum, deadline, admission, strategy and checkpoint are
    those of `federation.rounds`, as in every engine.
    """

    def __init__(self, campaign: str = "", segment: str = "", task_check_period: float = 0.05) -> None:
        # FLARE exports arguments by their names, so each is spelled out and kept under its own.
        super().__init__(persistor_id="", ignore_result_error=True, task_check_period=task_check_period)
        self.campaign, self.segment, self.task_check_period = campaign, segment, task_check_period

    def run(self) -> None:
        """Carry the campaign on from its checkpoint, and write down how the segment ended."""
        kit = Path(self.fl_ctx.get_prop(FLContextKey.WORKSPACE_OBJECT).get_root_dir())
        folder = kit.parent / CAMPAIGNS / Path(self.campaign).name
        _wait_for_lock(folder)
        self._note(folder, "runs")
        try:
            from cryofed.federation.engines.flare.conduct import conduct

            conduct(folder, FlareCarrier(self, self.abort_signal, folder, (folder / "plan.toml").read_text()))
        except SegmentEndError as end:
            self._note(folder, "ended", str(end))
        except CryoFedError as error:
            self._note(folder, "failed", str(error))
        except Exception as error:  # our bug: the words stay in the aggregator's own log
            self.exception("the segment failed")
            self._note(folder, "failed", f"{type(error).__name__}; see the aggregator's log.txt")
        else:
            self._note(folder, "finished")

    def _note(self, folder: Path, state: str, words: str = "") -> None:
        note = {"segment": self.segment, "state": state, "words": words}
        write_whole(folder / SEGMENT, json.dumps(note).encode())


def _wait_for_lock(folder: Path) -> None:
    """The segment before this one may still be closing its last round."""
    end = time.monotonic() + LOCK_S
    with (folder / "lock").open("a+") as file:
        while time.monotonic() < end:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.05)
            else:
                return  # closing the file lets go of it; the rounds take it again
