"""Run a plan: check it, make the first release where there is none, run campaigns, write their reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from cryofed.errors import InputError
from cryofed.federation.aggregator.campaign import Campaign, next_campaign
from cryofed.federation.aggregator.hooks import Hook
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.agreement.plan_file import read_plan
from cryofed.federation.engines.deployment import Deployment, deployment_of
from cryofed.federation.releases.first import begin_releases, check_start
from cryofed.federation.telling.campaign_report import write_report
from cryofed.federation.telling.tracking import tracking
from cryofed.learning.device import device_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A plan whose next campaign can run."""

    plan: Plan
    path: Path  # of the plan's file; relative paths in it begin there
    home: Path  # the federation's folder; it has a current release
    engine: Deployment


def make_ready(
    path: Path,
    *,
    home: Path | None = None,
    engine: str | None = None,
    device: str | None = None,
    start: Path | None = None,
    untrained: bool = False,
) -> Ready:
    """Check a plan and make the federation's first release where there is none.

    Args:
        path: the plan's file.
        home: the federation's folder; by default beside the plan, named as in the plan.
        engine: another engine than the plan's.
        device: where the sites of this machine compute, "auto", "cpu", "cuda" or "mps"; None leaves it to the
            engine's table in the plan.
        start: weights of the first model; by default the model that CryoFed ships.
        untrained: the first model is a fresh network.

    Raises:
        InputError: names the file or the option, the field, what was found and what to do.
    """
    plan = read_plan(path)
    if engine:
        plan = replace(plan, engine=engine)
    deployment = deployment_of(plan.engine, "--engine" if engine else path)
    deployment.check(plan, path)
    plan = _on_device(plan, deployment, device)
    if not plan.sites:
        raise InputError(path, "sites", "none", "enroll at least one with a [[sites]] table")
    check_start(plan, path, untrained=untrained)
    home = home or path.parent / plan.name
    begin_releases(home, plan, start, untrained=untrained)
    return Ready(plan=plan, path=path, home=home, engine=deployment)


def run_next(ready: Ready, hooks: Sequence[Hook] = ()) -> Campaign:
    """Run the next campaign, or what is left of one that was stopped, and write its `report.html`."""
    with tracking(ready.plan, next_campaign(ready.home)[0]) as tracked:
        campaign = ready.engine.run(ready.plan, ready.path, ready.home, [*hooks, *tracked])
    write_report(campaign.folder)
    return campaign


def _on_device(plan: Plan, engine: Deployment, device: str | None) -> Plan:
    """The plan with this device in its engine's own table, where the engine's sites are on this machine."""
    kind = engine.table
    if kind is None or "device" not in {one.name for one in fields(kind)}:
        if device is None:
            return plan
        raise InputError(
            "--device",
            "engine",
            f"{engine.name}, whose sites are machines of their own",
            "leave it away; each site names its device in its own site.toml",
        )
    table = plan.table(kind) if device is None else replace(plan.table(kind), device=device)
    if table.device not in ("auto", "cpu"):  # PyTorch need not be loaded to know that these are there
        device_of(table.device)
    return replace(plan, tables={**plan.tables, engine.name: table})
