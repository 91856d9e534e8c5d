"""The files of a kit that FLARE's processes read: written whole, with nothing in them but what we want.

FLARE's own provisioning writes the same files from its templates, with a dozen more. Two values differ from
its defaults in effect: exact classes instead of prefixes, for a prefix also allows every name that our
modules import (`subprocess.Popen`); and nobody may bring code.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError
from cryofed.federation.engines.remote.homes import Home
from cryofed.trust.identity import Identity

ROOM = "cryofed.federation.engines.flare"
CONTROLLER = f"{ROOM}.aggregator.controller.RoundController"
EXECUTOR = f"{ROOM}.site.executor.SiteExecutor"
TASK_SECONDS = 0.2  # a site asks for work this often; FLARE's 2 s are most of its time per round
# FLARE's class, its file, its kind of token: any of them in a kit means it.
PRETENDED = ("MockAuthorizer", "mock_authorizer", "x-mock")
LOG_BYTES, LOGS = 20 << 20, 10  # of each of FLARE's logs, and how many older ones are kept


def aggregator_kit(kit: Path, home: Home, name: str, host: str, ports: tuple[int, int]) -> None:
    """The aggregator's: its own storage, its one class, the janitor and the doorkeeper."""
    port, admin_port = ports
    service = {"target": f"{host}:{port}", "scheme": "grpc"}
    server = {"name": name, "service": service, "admin_server": host, "admin_port": admin_port}
    _startup(kit, home.identity, "server", {"servers": [server | _tls("server")]}, 2)
    store = "nvflare.app_common.storages.filesystem_storage.FilesystemStorage"
    storage = kit / "storage"
    persistor = {
        "uri_root": "/",
        "storage": {"path": store, "args": {"root_dir": str(storage / "snapshots"), "uri_root": "/"}},
    }
    resources = {
        "format_version": 2,
        "class_list_enforcement_mode": "enforce",
        "class_allow_list": [CONTROLLER],
        "servers": [
            {
                "admin_storage": "transfer",
                "max_num_clients": 100,
                "heart_beat_timeout": 20,  # FLARE's 600 s leave a dead site in every round
                "download_job_url": "http://download.server.com/",
                "admin_timeout": 10.0,
            }
        ],
        "snapshot_persistor": {
            "path": "nvflare.app_common.state_persistors.storage_state_persistor.StorageStatePersistor",
            "args": persistor,
        },
        "components": [
            _component(
                "job_scheduler",
                "nvflare.app_common.job_schedulers.job_scheduler.DefaultJobScheduler",
                max_jobs=4,
            ),
            _component(
                "job_manager",
                "nvflare.apis.impl.job_def_manager.SimpleJobDefManager",
                uri_root=str(storage / "jobs"),
                job_store_id="job_store",
            ),
            _component("job_store", store),
            _component(
                "process_launcher",
                "nvflare.app_common.job_launcher.server_process_launcher.ServerProcessJobLauncher",
            ),
            _component("janitor", f"{ROOM}.aggregator.janitor.Janitor"),
            _component("doorkeeper", f"{ROOM}.aggregator.doorkeeper.Doorkeeper", registry=str(home.registry)),
        ],
    }
    _local(kit, resources)


def site_kit(kit: Path, identity: Identity, name: str, federation: str, aggregator: tuple[str, int]) -> None:
    """A site's: its one class, and logs that stay at home.

    FLARE's streamer of logs is left out: it would put its own class into every job, and send the site's error
    log to the aggregator.
    """
    host, port = aggregator
    service = {"target": f"{host}:{port}", "scheme": "grpc"}
    startup = {
        "servers": [{"name": federation, "service": service, "identity": host}],
        "client": {"fqsn": name, "is_leaf": True} | _tls("client"),
    }
    _startup(kit, identity, "client", startup, 2)
    gpus = {"num_of_gpus": 0, "mem_per_gpu_in_GiB": 0, "expiration_period": 300}
    resources = {
        "format_version": 2,
        "class_list_enforcement_mode": "enforce",
        "class_allow_list": [EXECUTOR],
        "allow_log_streaming": False,
        "client": {"retry_timeout": 30, "compression": "Gzip"},
        "components": [
            _component(
                "resource_manager",
                "nvflare.app_common.resource_managers.gpu_resource_manager.GPUResourceManager",
                **gpus,
            ),
            _component(
                "resource_consumer",
                "nvflare.app_common.resource_consumers.gpu_resource_consumer.GPUResourceConsumer",
            ),
            _component(
                "process_launcher",
                "nvflare.app_common.job_launcher.client_process_launcher.ClientProcessJobLauncher",
            ),
            _component("greeter", f"{ROOM}.site.greeter.Greeter"),
        ],
    }
    _local(kit, resources)


def coordinator_kit(
    kit: Path, identity: Identity, federation: str, name: str, aggregator: tuple[str, int]
) -> None:
    """The coordinator's: what a session needs."""
    host, port = aggregator
    admin = {
        "project_name": federation,
        "username": name,
        "server_identity": host,
        "scheme": "grpc",
        "host": host,
        "port": port,
        "connection_security": "mtls",
        "uid_source": "user_input",
        "with_file_transfer": True,
        "upload_dir": "transfer",
        "download_dir": "transfer",
        "client_key": "client.key",
        "client_cert": "client.crt",
        "ca_cert": "rootCA.pem",
    }
    _startup(kit, identity, "client", {"admin": admin}, 1, file="fed_admin.json")
    rules = {"idle_timeout": 900.0, "login_timeout": 10.0, "with_debug": False}
    session = rules | {"authenticate_msg_timeout": 2.0, "prompt": "> "}
    _write(kit / "local" / "resources.json", {"format_version": 1, "admin": session})
    (kit / "transfer").mkdir(exist_ok=True)


def refuse_pretended_attestation(kit: Path) -> None:
    """Refuse a kit that names FLARE's mock authoriser, which says yes to everybody.

    Raises:
        InputError: the file, and the word in it.
    """
    for path in sorted(kit.rglob("*")):
        if path.suffix in (".json", ".yml", ".yaml", ".conf") and path.parent.name in ("local", "startup"):
            content = path.read_text(errors="replace")
            word = next((one for one in PRETENDED if one in content), "")
            if word:
                remedy = (
                    "take it out: it attests to nothing; profile attested verifies the chip's evidence itself"
                )
                raise InputError(path, "attestation", f"FLARE's mock authoriser ({word})", remedy)


def _startup(
    kit: Path, identity: Identity, kind: str, content: Mapping[str, Any], version: int, *, file: str = ""
) -> None:
    """A new kit with FLARE's first file, and beside it, by FLARE's names, links to the identity's files."""
    shutil.rmtree(kit, ignore_errors=True)
    startup = kit / "startup"
    startup.mkdir(mode=0o700, parents=True)
    for folder in ("local", "transfer"):
        (kit / folder).mkdir()
    _write(startup / (file or f"fed_{kind}.json"), {"format_version": version} | dict(content))
    names = {
        f"{kind}.key": identity.key,
        f"{kind}.crt": identity.certificate,
        "rootCA.pem": identity.authority,
    }
    for name, target in names.items():
        (startup / name).symlink_to(Path("../..") / target.relative_to(kit.parent))


def _tls(kind: str) -> dict[str, str]:
    return {
        "ssl_private_key": f"{kind}.key",
        "ssl_cert": f"{kind}.crt",
        "ssl_root_cert": "rootCA.pem",
        "connection_security": "mtls",
    }


def _component(name: str, path: str, **arguments: object) -> dict[str, Any]:
    return {"id": name, "path": path, "args": arguments}


def _local(kit: Path, resources: Mapping[str, Any]) -> None:
    """Resources, rights and logs."""
    _write(kit / "local" / "resources.json", resources)
    nothing = {"byoc": "none", "shell_commands": "none", "server-predeployed-flwr": "none"}
    own = dict.fromkeys(("clone_job", "manage_job", "download_job"), "n:submitter")
    rights = {
        "project_admin": {"view": "any"},  # nobody has this role
        "org_admin": {"view": "any"} | nothing,
        "lead": {"submit_job": "any", "view": "any", "operate": "o:site"} | own | nothing,
        "member": {"view": "any"} | nothing,
    }
    _write(kit / "local" / "authorization.json", {"format_version": "1.0", "permissions": rights})
    line = "%(asctime)s - %(name)s - %(levelname)s - %(fl_ctx)s - %(message)s"
    rotating = {
        "class": "logging.handlers.RotatingFileHandler",
        "formatter": "baseFormatter",
        "mode": "a",
        "maxBytes": LOG_BYTES,
        "backupCount": LOGS,
    }
    logs = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"baseFormatter": {"()": "nvflare.fuel.utils.log_utils.BaseFormatter", "fmt": line}},
        "handlers": {
            "logFileHandler": rotating | {"level": "DEBUG", "filename": "log.txt"},
            "errorFileHandler": rotating | {"level": "ERROR", "filename": "error_log.txt"},
        },
        "loggers": {"root": {"level": "INFO", "handlers": ["logFileHandler", "errorFileHandler"]}},
    }
    _write(kit / "local" / "log_config.json", logs)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, (json.dumps(dict(content), indent=1) + "\n").encode())
