"""A site that runs OpenFL's own program takes part like any other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openfl", reason="the extra cryofed[openfl] is not installed: pip install '.[openfl]'")

from tests.contract import toy
from tests.contract.harness import Embedded
from tests.contract.toy_learner import set_toys
from tests.federation.engines.openfl.served import MACHINES
from tests.federation.engines.remote.real import toy_learners

from cryofed.federation.aggregator.carrier import run_rounds
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import NetworkRules
from cryofed.federation.agreement.plan_file import commented_plan
from cryofed.federation.engines.openfl import inside, words
from cryofed.federation.engines.openfl.carrier import OpenFLCarrier
from cryofed.federation.engines.openfl.fx import PLAN, WORKSPACE, SiteFolder, write_plan
from cryofed.federation.engines.openfl.link import Link
from cryofed.federation.engines.remote.connection import free_port
from cryofed.federation.engines.remote.here import join_here
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.invitation import InvitationFile


def invitation(port: int = 8102) -> InvitationFile:
    return InvitationFile(
        federation="toys",
        engine="openfl",
        host="localhost",
        port=port,
        authority="a",
        coordinator="b",
        agreement="c",
        cryofed="1",
    )


def test_the_plan_is_one_that_openfl_reads_and_its_hash_is_that_of_the_invitation(tmp_path: Path) -> None:
    ours, theirs, other = (
        inside.names_in(write_plan(tmp_path / name, invitation(port)))
        for name, port in (("a", 8102), ("b", 8102), ("c", 8103))
    )
    assert ours == theirs != other
    assert ours[1] == f"aggregator_{ours[0]}"


def test_the_plan_names_what_there_is(tmp_path: Path) -> None:
    from openfl.federated.plan import Plan

    found = Plan.parse(write_plan(tmp_path, invitation()))
    assert isinstance(found.get_tensor_pipe(), inside.FlatBytes)
    found.cols_data_paths = {"alpha": "/somewhere"}
    loader = found.get_data_loader("alpha")
    assert isinstance(loader, SiteFolder)
    assert loader.folder == Path("/somewhere")
    assert set(found.config["tasks"]) - {"settings"} == set(words.TASKS)


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_site_that_fx_runs_gives_the_same_bits_and_ends_with_the_aggregator(tmp_path: Path) -> None:
    names = ("alpha",)
    plan = replace(toy.plan(names, min_updates=1), engine="openfl", network=NetworkRules(port=free_port()))
    federation, home = tmp_path / "toys", SiteHome(tmp_path / "sites" / "alpha")
    own = MACHINES.home(federation)
    MACHINES.found(plan, federation)
    (tmp_path / "library.db").touch()
    join_here(MACHINES, plan, federation, home, name="alpha", library=tmp_path / "library.db")
    set_toys(tmp_path / "sites", {"alpha": "honest"})
    assert (home.kit / WORKSPACE / PLAN).read_bytes() == (own.aggregator / WORKSPACE / PLAN).read_bytes()
    link = Link(
        own.folder / "transfer",
        own.identity,
        own.registry,
        own.refusals,
        "toys",
        fx=own.aggregator / WORKSPACE / PLAN,
    )
    link.open("127.0.0.1", plan.network.port)
    with toy_learners(), (tmp_path / "fx.log").open("wb") as log:
        command = [Path(sys.executable).with_name("fx"), "collaborator", "start", "-n", "alpha"]
        fx = subprocess.Popen(command, cwd=home.kit / WORKSPACE, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 300
        while "alpha" not in link.door.present() and fx.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        with (
            open_rounds(tmp_path / "run", plan, toy.LAYOUT, toy.START) as rounds,
            closing(OpenFLCarrier(link, commented_plan(plan), 1, names, deadline_s=60.0)) as carrier,
        ):
            run_rounds(rounds, carrier)
            vector = np.array(rounds.vector)
        link.close(60.0)
        assert fx.wait(60) == 0, (tmp_path / "fx.log").read_text()[-3000:]
    finally:
        link.close(0.0)
        if fx.poll() is None:
            os.kill(fx.pid, signal.SIGKILL)
            fx.wait()
    reference = Embedded(inline=True).run(plan, tmp_path / "reference", {"alpha": "honest"})
    assert vector.tobytes() == reference.vector.tobytes()
