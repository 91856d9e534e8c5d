"""Harden a kit before its first start: exact classes, no code from outside, nothing in shared folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOM = "cryofed.federation.engines.flare"
CONTROLLER = f"{ROOM}.controller.RoundController"
EXECUTOR = f"{ROOM}.executor.SiteExecutor"
# Sites upload with bytes, so a job needs no other class on either side. A prefix would also allow every name
# that our modules import, for example `subprocess.Popen`: exact classes only.
AGGREGATOR_CLASSES = (CONTROLLER,)
SITE_CLASSES = (EXECUTOR,)
TASK_SECONDS = 0.2  # a site asks for work this often; FLARE's 2 s are most of its time per round


def harden_aggregator(kit: Path, registry: Path) -> None:
    """Give the aggregator's kit its own storage, its one class, the janitor and the doorkeeper."""
    resources = _default(kit, "resources.json")
    resources["class_allow_list"] = list(AGGREGATOR_CLASSES)
    resources["servers"][0]["heart_beat_timeout"] = 20  # FLARE's 600 s leave a dead site in every round
    storage = kit / "storage"
    for component in resources["components"]:
        if component["id"] == "job_manager":
            component["args"]["uri_root"] = str(storage / "jobs")
    resources["snapshot_persistor"]["args"]["storage"]["args"]["root_dir"] = str(storage / "snapshots")
    resources["components"] = [
        component for component in resources["components"] if component["id"] != "log_receiver"
    ]
    resources["components"] += [
        {"id": "janitor", "path": f"{ROOM}.janitor.Janitor", "args": {}},
        {"id": "doorkeeper", "path": f"{ROOM}.doorkeeper.Doorkeeper", "args": {"registry": str(registry)}},
    ]
    _write(kit, "resources.json", resources)
    _forbid_code(kit)


def harden_site(kit: Path) -> None:
    """Give a site's kit its one class; its logs stay at home."""
    resources = _default(kit, "resources.json")
    resources["class_allow_list"] = list(SITE_CLASSES)
    resources["allow_log_streaming"] = False
    # The streamer would put its own class into every job, and send the site's error log to the aggregator.
    resources["components"] = [
        component for component in resources["components"] if component["id"] != "site_log_streamer"
    ]
    resources["components"] += [{"id": "greeter", "path": f"{ROOM}.greeter.Greeter", "args": {}}]
    _write(kit, "resources.json", resources)
    _forbid_code(kit)


def _forbid_code(kit: Path) -> None:
    logs = _default(kit, "log_config.json")
    logs["loggers"]["root"]["handlers"] = ["logFileHandler", "errorFileHandler"]
    _write(kit, "log_config.json", logs)
    authorization = _default(kit, "authorization.json")
    for rights in authorization["permissions"].values():
        if isinstance(rights, dict):
            rights |= {"byoc": "none", "shell_commands": "none", "server-predeployed-flwr": "none"}
    authorization["permissions"]["project_admin"] = {"view": "any"}  # nobody has this role
    _write(kit, "authorization.json", authorization)


def _default(kit: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((kit / "local" / f"{name}.default").read_text())
    return found


def _write(kit: Path, name: str, content: dict[str, Any]) -> None:
    (kit / "local" / name).write_text(json.dumps(content, indent=1) + "\n")
