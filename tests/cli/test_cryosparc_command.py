# ruff: noqa: A002, B006, PLR0917  (the signatures are those of cryosparc-tools)
"""Selecting in a running CryoSPARC, against a fake that answers as versions 4 and 5 of cryosparc-tools do.

The fake's calls have the signatures of cryosparc-tools 4.7.1 and 5.0.3; where that package is installed, a
test compares them. No live server was asked.
"""

import inspect
import json
import sys
import types
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from cryofed.cli.main import main
from cryofed.jobs.opening import open_job
from cryofed.scoring.scorer import score_job
from cryofed.simulation.sites import write_sites


class FakeJob:
    """What both versions' jobs share; the server's side is kept in `server`."""

    def __init__(self, server: "FakeServer", uid: str) -> None:
        self.server, self.uid, self.status = server, uid, "building"
        self.selected: dict[int, bool] = {}

    def queue(
        self,
        lane: str | None = None,
        hostname: str | None = None,
        gpus: list[int] = [],
        cluster_vars: dict[str, Any] = {},
    ) -> None:
        self.lane, self.status = lane, self.server.starts_as

    def wait_for_status(self, status: Any, *, timeout: int | None = None) -> str:
        assert self.status in status or timeout is not None
        return self.status

    def wait_for_done(self, *, error_on_incomplete: bool = False, timeout: int | None = None) -> str:
        return self.status

    def interact(self, action: str, body: Any = {}, *, timeout: int = 10, refresh: bool = False) -> Any:
        assert self.status == "waiting"
        if action == "get_class_info":
            return [
                {"class_idx": i, "res_A": 10.0, "selected": False, "num_particles_total": n, "class_ess": 1.5}
                for i, n in reversed(list(enumerate(self.server.counts)))
            ]
        if action == "set_class_selected":
            assert set(body) == {"class_idx", "selected"}
            self.selected[body["class_idx"]] = body["selected"]
            return None
        assert action == "finish"
        self.status = self.server.ends_as
        return None

    def kill(self) -> None:
        self.status = "killed"


class FakeProject:
    def __init__(self, server: "FakeServer") -> None:
        self.server = server

    def create_job(
        self,
        workspace_uid: str,
        type: str,
        connections: dict[str, Any] = {},
        params: dict[str, Any] = {},
        title: str = "",
        desc: str = "",
    ) -> FakeJob:
        self.server.order = (workspace_uid, type, connections, title)
        self.server.made = FakeJob(self.server, "J57")
        return self.server.made


class FakeServer:
    """`CryoSPARC` of cryosparc-tools; 4 has documents and methods, 5 has models and properties."""

    version = 5
    starts_as, ends_as = "waiting", "completed"
    folder = Path()
    counts: tuple[int, ...] = ()
    last: "FakeServer"

    def __init__(self, *, host: str = "localhost", base_port: int = 39000, email: str = "") -> None:
        self.given = (host, base_port, email)
        self.made: FakeJob | None = None
        FakeServer.last = self

    def find_project(self, project_uid: str) -> FakeProject:
        return FakeProject(self)

    def find_job(self, project_uid: str, job_uid: str) -> FakeJob:
        if (project_uid, job_uid) != ("P3", "J10"):
            raise ValueError(f"*** [API] (GET /jobs, code 404) no job {project_uid} {job_uid}\nmore")
        job: Any = FakeJob(self, job_uid)
        place = PurePosixPath(self.folder)
        if self.version == 5:
            job.dir, job.model = place, types.SimpleNamespace(workspace_uids=["W2"])
        else:
            job.dir, job.doc = (lambda: place), {"workspace_uids": ["W2"]}
        return job


@pytest.fixture(scope="module")
def classification(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cryosparc") / "sites"
    (site,) = write_sites(out, sites=1, jobs_per_site=1, seed=3, cryosparc=1)
    return site / "project-1" / "J10"


@pytest.fixture(params=[4, 5])
def server(classification: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    tools = types.ModuleType("cryosparc.tools")
    tools.CryoSPARC = FakeServer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cryosparc", types.ModuleType("cryosparc"))
    monkeypatch.setitem(sys.modules, "cryosparc.tools", tools)
    monkeypatch.setattr(FakeServer, "version", request.param)
    monkeypatch.setattr(FakeServer, "folder", classification)
    monkeypatch.setattr(FakeServer, "counts", tuple(open_job(classification).classes.particles.tolist()))
    return FakeServer


def test_every_class_is_answered_and_the_job_finished(server, capsys) -> None:
    assert main(["cryosparc", "P3", "J10", "--host", "master", "--base-port", "61000", "--force"]) == 0
    assert "P3 J57: finished" in capsys.readouterr().out
    last = server.last
    assert last.given == ("master", 61000, "")
    workspace, kind, connections, title = last.order
    assert (workspace, kind) == ("W2", "select_2D")
    assert connections == {"particles": ("J10", "particles"), "templates": ("J10", "class_averages")}
    assert title.startswith("CryoFed")  # harvest passes it by
    assert last.made.status == "completed"
    assert set(last.made.selected) == set(range(len(server.counts)))
    assert 0 < sum(last.made.selected.values()) < len(server.counts)


def test_a_dry_run_makes_no_job(server, capsys) -> None:
    assert main(["cryosparc", "P3", "J10", "--force", "--dry-run"]) == 0
    assert server.last.made is None
    assert "nothing was made" in capsys.readouterr().out


def test_a_job_in_doubt_needs_a_persons_word(server, monkeypatch, capsys) -> None:
    monkeypatch.setattr(
        "cryofed.scoring.scorer.score_job", lambda *given: replace(score_job(*given), doubt=0.4)
    )
    command = ["cryosparc", "P3", "J10", "--threshold", "0", "--max-loss", "1"]
    assert main(command) == 1
    assert "give or take 40 %" in capsys.readouterr().err
    assert server.last.made is None
    assert main([*command, "--force", "--json"]) == 0
    assert "give or take 40 %" in json.loads(capsys.readouterr().out)["doubt"]


def test_other_classes_than_were_scored_are_never_answered(server, monkeypatch, capsys) -> None:
    monkeypatch.setattr(server, "counts", (*server.counts[:-1], server.counts[-1] + 1))
    assert main(["cryosparc", "P3", "J10", "--force"]) == 1
    assert f"class {len(server.counts)}" in capsys.readouterr().err
    assert (server.last.made.status, server.last.made.selected) == ("killed", {})


@pytest.mark.parametrize(
    ("field", "status", "left"),
    [
        ("starts_as", "failed", "failed"),
        ("starts_as", "queued", "killed"),  # it did not start in time and is not left behind
        ("ends_as", "failed", "failed"),
    ],
)
def test_a_job_that_fails_is_told(server, monkeypatch, capsys, field, status, left) -> None:
    monkeypatch.setattr(server, field, status)
    assert main(["cryosparc", "P3", "J10", "--force"]) == 1
    assert f"J57: status: {status}" in capsys.readouterr().err
    assert server.last.made.status == left


def test_a_wrong_job_and_a_server_that_refuses_are_one_clear_line(server, monkeypatch, capsys) -> None:
    assert main(["cryosparc", "P3", "J99"]) == 1
    assert "code 404) no job P3 J99; correct" in capsys.readouterr().err

    def refuse(self: object, **_: object) -> None:
        raise AssertionError("Invalid or unspecified CryoSPARC license ID ")

    monkeypatch.setattr(server, "__init__", refuse)
    assert main(["cryosparc", "P3", "J10"]) == 1
    assert "license ID ; set CRYOSPARC_MASTER_HOSTNAME" in capsys.readouterr().err


def test_without_cryosparc_tools_the_remedy_is_told(monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "cryosparc", None)
    monkeypatch.setitem(sys.modules, "cryosparc.tools", None)
    assert main(["cryosparc", "P3", "J10"]) == 1
    assert "python -m pip install '.[cryosparc]'" in capsys.readouterr().err


def test_the_fake_has_the_signatures_of_cryosparc_tools() -> None:
    tools = pytest.importorskip("cryosparc.tools", reason="cryosparc-tools is not installed")
    try:
        from cryosparc.controllers.job import JobController as Job  # version 5
        from cryosparc.controllers.project import ProjectController as Project
    except ImportError:
        from cryosparc.job import Job  # version 4
        from cryosparc.project import Project
    for real, fake, names in (
        (Job, FakeJob, ("queue", "wait_for_status", "wait_for_done", "interact", "kill")),
        (Project, FakeProject, ("create_job",)),
        (tools.CryoSPARC, FakeServer, ("find_job", "find_project")),
    ):
        for name in names:
            theirs = inspect.signature(getattr(real, name)).parameters
            ours = inspect.signature(getattr(fake, name)).parameters
            assert list(ours) == list(theirs), name
            assert [p.kind for p in ours.values()] == [p.kind for p in theirs.values()], name
    taken = inspect.signature(tools.CryoSPARC.__init__).parameters
    assert {"host", "base_port", "email"} <= set(taken)
