"""A door for sites that run OpenFL's own `fx`: the workspace that it starts from, and the names in its plan.

`fx collaborator start` reads `plan/plan.yaml`; its pipeline, data loader and task runner are ours by name.
The plan follows from the invitation alone, byte for byte: OpenFL names the federation by the plan's hash.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from cryofed.disk.whole import write_whole
from cryofed.federation.engines.openfl import inside, words
from cryofed.federation.engines.openfl.runner import Runner
from cryofed.federation.engines.remote.homes import TRANSFER, SiteHome
from cryofed.federation.engines.remote.invitation import InvitationFile
from cryofed.federation.engines.remote.learner_process import LearnerProcess
from cryofed.federation.engines.remote.working import LOG, Work

WORKSPACE = "fx"  # a folder in a site's kit and in the aggregator's
PLAN = Path("plan", "plan.yaml")
_ROOM = "cryofed.federation.engines.openfl"


def write_plan(workspace: Path, invitation: InvitationFile) -> Path:
    """Write the plan of this federation as `fx` reads it."""
    plan_yaml = {
        "aggregator": {"template": "openfl.component.Aggregator", "settings": {"rounds_to_train": 1}},
        "collaborator": {
            "template": "openfl.component.Collaborator",
            "settings": {"use_delta_updates": False, "opt_treatment": "RESET"},
        },
        "compression_pipeline": {"template": f"{_ROOM}.inside.FlatBytes", "settings": {}},
        "data_loader": {"template": f"{_ROOM}.fx.SiteFolder", "settings": {}},
        "task_runner": {"template": f"{_ROOM}.fx.site_runner", "settings": {}},
        "tasks": {name: dict(task) for name, task in words.TASKS.items()},
        "network": {
            "template": "openfl.federation.Network",
            "settings": {
                "agg_addr": invitation.host,
                "agg_port": invitation.port,
                "use_tls": True,
                "require_client_auth": True,
                "client_reconnect_interval": 2,
                "transport_protocol": "grpc",
            },
        },
    }
    path = workspace / PLAN
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f"# Federation {invitation.federation} for OpenFL's fx; its hash names it, so change nothing.\n"
    write_whole(path, head.encode() + inside.yaml_of(plan_yaml).encode())
    return path


def write_workspace(home: SiteHome, name: str, invitation: InvitationFile) -> None:
    """Write into a site's kit what `fx collaborator start -n NAME` needs."""
    workspace = home.kit / WORKSPACE
    shutil.rmtree(workspace, ignore_errors=True)
    write_plan(workspace, invitation)
    (workspace / "plan" / "data.yaml").write_text(f"{name},{home.folder}\n")
    client = workspace / "cert" / "client"
    client.mkdir(parents=True)
    for link, target in (
        (workspace / "cert" / "cert_chain.crt", home.identity.authority),
        (client / f"col_{name}.crt", home.identity.certificate),
        (client / f"col_{name}.key", home.identity.key),
    ):
        link.symlink_to(target)


class SiteFolder:
    """OpenFL's data loader, which here only knows where the site's own folder is."""

    def __init__(self, data_path: str, **_: Any) -> None:
        self.folder = Path(data_path)

    def get_feature_shape(self) -> None:
        """Images have no place in OpenFL."""


def site_runner(data_loader: SiteFolder, **_: Any) -> Runner:
    """The site's learner as `fx` runs it.

    `fx` gives it no way to ask whether its order still counts, so it gives up after the round's deadline.
    """
    home = SiteHome(data_loader.folder)
    begun: dict[int, float] = {}

    def wanted(number: int) -> bool:
        began = begun.setdefault(number, time.monotonic())
        return time.monotonic() - began < runner.seconds

    work = Work(lambda: LearnerProcess(home.folder, home.folder / LOG))
    runner = Runner(work, home.folder / TRANSFER, wanted)
    return runner
