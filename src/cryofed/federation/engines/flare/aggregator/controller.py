"""At the aggregator: one FLARE job is one segment of our campaign, and our rounds decide."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from nvflare.apis.fl_constant import FLContextKey
from nvflare.app_common.workflows.base_fedavg import BaseFedAvg

from cryofed.disk.lock import wait_for
from cryofed.errors import CryoFedError
from cryofed.federation.engines.flare.aggregator.carrier import FlareCarrier, SegmentEndError
from cryofed.federation.engines.flare.inside import let_go_of_what_was_sent, refuse_references
from cryofed.federation.engines.remote.segments import write_note

LOCK_S = 60.0  # how long a segment waits for the one before it to close its round


class RoundController(BaseFedAvg):  # type: ignore[misc]  # FLARE is untyped
    """The one class that a job may name at the aggregator.

    Of `BaseFedAvg` it keeps the life cycle only. Quorum, deadline, admission, strategy and checkpoint are
    those of `federation.rounds`, as in every engine.
    """

    def __init__(
        self, trial: str = "", segment: str = "", secret: str = "", task_check_period: float = 0.05
    ) -> None:
        # FLARE exports arguments by their names, so each is spelled out and kept under its own.
        super().__init__(persistor_id="", ignore_result_error=True, task_check_period=task_check_period)
        refuse_references()
        let_go_of_what_was_sent()
        self.trial, self.segment, self.secret = trial, segment, secret
        self.task_check_period = task_check_period

    def run(self) -> None:
        """Carry on from the checkpoint, and write down how the segment ended."""
        from cryofed.federation.engines.remote.conduct import conduct

        kit = Path(self.fl_ctx.get_prop(FLContextKey.WORKSPACE_OBJECT).get_root_dir())
        flare, home = kit.parent, kit.parent.parent
        folder = flare / Path(self.trial).name if self.trial else home
        write_note(flare, self.segment, "runs")  # the one before sees it, and gives way
        try:
            wait_for(folder, LOCK_S)
            conduct(
                home,
                flare,
                Path(self.trial).name,
                lambda plan: closing(
                    FlareCarrier(self, self.abort_signal, flare, self.segment, plan, secret=self.secret)
                ),
            )
        except SegmentEndError as end:
            write_note(flare, self.segment, "ended", str(end))
        except CryoFedError as error:
            write_note(flare, self.segment, "failed", str(error))
        except Exception as error:  # our bug: the words stay in the aggregator's own log
            self.exception("the segment failed")
            write_note(flare, self.segment, "failed", f"{type(error).__name__}; see the aggregator's log")
        else:
            write_note(flare, self.segment, "finished")
