"""At the aggregator's start, close the segments that a killed aggregator left open."""

from __future__ import annotations

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_component import FLComponent
from nvflare.apis.fl_constant import SystemComponents
from nvflare.apis.fl_context import FLContext
from nvflare.apis.job_def import RunStatus


class Janitor(FLComponent):  # type: ignore[misc]  # FLARE is untyped
    """FLARE itself can neither abort nor delete such a job: it stays RUNNING for ever."""

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Only at the aggregator's own start, not at that of a segment's process."""
        if event_type != EventType.SYSTEM_START or fl_ctx.get_job_id():
            return
        engine = fl_ctx.get_engine()
        jobs = engine.get_component(SystemComponents.JOB_MANAGER) if engine else None
        if jobs is None or not getattr(engine, "job_runner", None):
            return
        for job in jobs.get_jobs_by_status([RunStatus.RUNNING, RunStatus.DISPATCHED], fl_ctx):
            jobs.set_status(job.job_id, RunStatus.FINISHED_ABORTED, fl_ctx)
            self.log_warning(fl_ctx, f"closed segment {job.job_id}, left open by an aggregator that died")
