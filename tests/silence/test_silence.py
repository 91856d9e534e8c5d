"""No socket but the named ones, no file outside the named folders: each command under strace, HOME empty.

`make test-silent` keeps each command but `select` for over a minute, because what calls home may wait that
long, and runs a federation of real FLARE processes too.
"""

import getpass
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.silence.strace import deeds, line, run

from cryofed.cli.main import main
from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.library.labels import Labelling
from cryofed.library.store import Library
from cryofed.silence import SWITCHES
from cryofed.watching.finished import SUCCESS

SECONDS = float(
    os.environ.get("CRYOFED_SILENT_SECONDS", "2")
)  # that a command stays which would stay for ever
# PyTorch makes a folder for compiled kernels when an optimizer steps; it stays empty, for none is compiled.
KERNELS = Path(tempfile.gettempdir()) / f"torchinductor_{getpass.getuser()}"
LONG = SECONDS >= 60
INTERRUPTED = 130  # how the command line ends after Ctrl-C
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
Maker = Callable[..., Path]
# A campaign over an engine of real machines, all of it on this one: founded, started, run and stopped.
FEDERATION = """
import sys
from dataclasses import replace
from pathlib import Path

from cryofed.federation.agreement.plan_file import read_plan
from cryofed.federation.engines.deployment import deployment_of
from cryofed.federation.engines.remote.connection import free_port
from cryofed.federation.releases.first import begin_releases

path, engine = Path(sys.argv[1]), deployment_of(sys.argv[2])
plan = read_plan(path)
plan = replace(plan, engine=engine.name, network=replace(plan.network, port=free_port()))
home = path.parent / plan.name
begin_releases(home, plan, untrained=True)
with engine.here(plan, {site.name: Path(site.library) for site in plan.sites}, home) as running:
    engine.run(running, path, home)
"""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="strace is Linux's")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def stay(process: subprocess.Popen[bytes], printed: Path) -> None:
    time.sleep(SECONDS)


def test_select(home: Path, work: Path, relion_job: Path) -> None:
    done = run(work, ["select", relion_job, "--out", work / "out", "--force"], home=home)
    assert done.addresses == set()
    assert done.outside(work) == []
    assert str(work / "out") in done.written  # it was watched
    assert list(home.iterdir()) == []


def test_watch(home: Path, work: Path, make_relion: Maker, make_blobs: Callable[..., object]) -> None:
    project = work / "project"
    job = make_relion(project / "Class2D/job012", make_blobs(6), (40, 30, 25, 60, 15, 12))
    (job / SUCCESS).touch()

    def until(process: subprocess.Popen[bytes], printed: Path) -> None:
        line(printed, "job012", process)
        stay(process, printed)

    done = run(work, ["watch", project, "--settle", "0", "--interval", "1"], home=home, until=until)
    assert done.addresses == set()
    assert done.outside(work) == []
    assert list(home.iterdir()) == []


def test_review(home: Path, work: Path, relion_job: Path) -> None:
    pytest.importorskip("uvicorn")

    def until(process: subprocess.Popen[bytes], printed: Path) -> None:
        address = line(printed, "http://127.0.0.1:", process)
        with urllib.request.urlopen(address) as page:  # a loopback address of our own
            assert b"<html" in page.read()
        stay(process, printed)

    done = run(work, ["review", relion_job, "--no-browser"], home=home, until=until)
    assert done.addresses == {"127.0.0.1"}
    assert done.outside(work) == []
    assert list(home.iterdir()) == []


def test_train(home: Path, work: Path) -> None:
    write_library(work / "north.db", 1, projects=8)  # jobs enough to take all that was learnt: it is better
    words = ["train", "--library", "north.db", "--out", "model", "--epochs"]
    if LONG:  # it still trains when Ctrl-C comes
        done = run(work, [*words, "100000"], home=home, until=stay, status=INTERRUPTED)
    else:
        done = run(work, [*words, "1"], home=home)
        assert str(work / "model") in done.written
    assert done.addresses == set()
    assert done.outside(work) == []
    assert list(home.iterdir()) == []


def test_an_embedded_campaign(home: Path, work: Path) -> None:
    plan = small_plan(work, steps=4)
    words = ["federation", "run", plan, "--from-scratch"]
    if LONG:
        plan.write_text(plan.read_text().replace("count = 2 ", "count = 100000 "))
        done = run(work, words, home=home, until=stay, status=INTERRUPTED)
        assert any("rounds.jsonl" in path for path in done.written)
    else:
        done = run(work, words, home=home)
    assert done.addresses == set()
    assert done.outside(work, home / ".cache/matplotlib", home / ".config/matplotlib", KERNELS) == []


@pytest.mark.skipif(not LONG, reason="a federation for over a minute: make test-silent")
@pytest.mark.parametrize(
    ("engine", "package"), [("flare", "nvflare"), ("flower", "flwr"), ("openfl", "openfl")]
)
def test_a_federation_speaks_to_this_machine_alone(home: Path, work: Path, engine: str, package: str) -> None:
    pytest.importorskip(package)
    plan = small_plan(work, steps=400)
    done = run(work, [plan, engine], home=home, script=FEDERATION)
    assert done.addresses <= LOOPBACK | {"0.0.0.0", "::"}  # the server listens where the plan says
    assert done.outside(work, home / ".cache/matplotlib", home / ".config/matplotlib", KERNELS) == []


def small_plan(folder: Path, steps: int) -> Path:
    """Two sites of simulated blobs and a plan of two rounds."""
    for seed, name in enumerate(("north", "south")):
        write_library(folder / f"{name}.db", seed)
    plan = folder / "plan.toml"
    sites = f"north={folder / 'north.db'},south={folder / 'south.db'}"
    assert (
        main(["federation", "new", str(plan), "--name", "demo", "--sites", sites, "--rounds", "2", "--whole"])
        == 0
    )
    plan.write_text(
        plan.read_text().replace("steps = 30", f"steps = {steps}").replace("batch = 64", "batch = 16")
    )
    return plan


def write_library(path: Path, seed: int, projects: int = 3) -> None:
    """Projects of one job each: 32 blobs that were kept and 32 pictures of noise that were not."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((64, 64)) - 32
    good = np.arange(64) % 2 == 0
    blob = 2 * np.exp(-(x**2 + y**2) / 128)
    with Library(path, create=True) as made:
        for number in range(projects):
            averages = rng.normal(size=(64, 64, 64)) + good[:, None, None] * blob
            job = ClassJob(
                program="images",
                path=path,
                name=f"job{number}",
                averages=averages.astype(np.float32),
                classes=ClassTable.unknown(64),
            )
            made_at, values = "2026-01-01T00:00:00+00:00", good.astype(np.float32)
            labels = Labelling(habit="binary", source="test", made_at=made_at, values=values)
            made.add(job, f"project-{number}", [labels])


def test_the_switches_are_set_before_anything_else_and_over_what_the_user_set() -> None:
    code = "import os, sys, cryofed; print(*(os.environ[n] for n in sys.argv[1:]))"
    hostile = os.environ | dict.fromkeys(SWITCHES, "other")
    command = [sys.executable, "-c", code, *SWITCHES]
    done = subprocess.run(command, env=hostile, capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(SWITCHES.values())


def test_a_log_is_read_as_strace_writes_it() -> None:
    log = """\
7 connect(3<UDP:[1]>, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.7")}, 16) = 0
7 sendto(3<UDP:[1]>, "x", 1, 0, {sa_family=AF_INET6, sin6_port=htons(53), sin6_flowinfo=htonl(0), \
inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28 <unfinished ...>
7 connect(4<UNIX-STREAM:[2]>, {sa_family=AF_UNIX, sun_path="/run/nscd/socket"}, 110) = -1 ENOENT
8 openat(AT_FDCWD</place>, "read", O_RDONLY|O_CLOEXEC) = 5</place/read>
8 openat(AT_FDCWD</place>, "made", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 5</place/made>
8 openat(9</else>, "late", O_RDWR|O_CREAT <unfinished ...>
8 openat(AT_FDCWD</place>, "/no", O_WRONLY|O_CREAT, 0666) = -1 EACCES (Permission denied)
8 mkdir("/people/a/.cache/Maker", 0777) = 0
8 rename("/place/made", "/people/b") = 0
"""
    found = deeds(log, Path("/place"))
    assert found.addresses == {"192.0.2.7", "2001:db8::1"}
    assert found.outside(Path("/place")) == ["/else/late", "/people/a/.cache/Maker", "/people/b"]
    assert "/place/made" in found.written
