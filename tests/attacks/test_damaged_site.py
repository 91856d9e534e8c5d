"""Damaged files of a site and a campaign, places that cannot be written: one line, and no other bits."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.attacks.test_privacy_budget import library, pay
from tests.federation.labelled_blobs import source

from cryofed.cli.main import main
from cryofed.errors import CryoFedError, of_place
from cryofed.federation.aggregator.checkpoint import Progress, load_progress, save_progress
from cryofed.federation.agreement.plan import LocalTraining, Plan
from cryofed.federation.agreement.plan_file import read_plan
from cryofed.federation.agreement.site_policy import AnswerRules, read_policy
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.settings import read_settings
from cryofed.federation.releases.store import read_release
from cryofed.federation.site.answering import Site, answer
from cryofed.federation.site.guard.anchors import user_place
from cryofed.federation.site.guard.secret import secret_seed
from cryofed.federation.site.memory import (
    SiteMemory,
    keep_answer,
    last_answer,
    load_memory,
    save_memory,
)
from cryofed.federation.site.questions import FILE, Question, count_question
from cryofed.federation.strategies.strategy import State
from cryofed.federation.wire.orders import order, pack_order
from cryofed.learning.learner import initial_vector, layout
from cryofed.learning.vector import Vector, vector_hash
from cryofed.scoring.calibration import UNKNOWN

SMALL: Vector = np.arange(8, dtype=np.float32)
HASH = "0" * 64
ORDER = order("train", 2, SMALL, plan_hash=HASH, start_hash=HASH, layout_hash=HASH)
EARLIER = replace(ORDER, round_number=1)
ASKED = Question(campaign="c", task="evaluate", round_number=1, models=("m",), data="d")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "emptied": lambda path: path.write_bytes(b""),
    "of zeros": lambda path: path.write_bytes(b"\0" * 200),
    "of ones": lambda path: path.write_bytes(b"\xff" * 200),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "doubled": lambda path: path.write_bytes(path.read_bytes() * 2),
    "flipped": flip,
    "a list": lambda path: path.write_text("[]\n"),
    "nested": lambda path: path.write_text("[" * 100_000 + "\n"),
    "infinite": lambda path: path.write_text('{"a": Infinity, "b": 1e999}\n'),
    "a huge header": lambda path: path.write_bytes(b"\xff" * 7 + b"\x7f" + b"{}"),
    "a header of nonsense": lambda path: path.write_bytes(
        (70).to_bytes(8, "little")
        + b'{"a":{"dtype":"F32","shape":[-9],"data_offsets":[0,4]},"__metadata__":{}}'
    ),
    "a folder": folder_instead,
}


def remembered(folder: Path) -> object:
    return sorted((n, a.tobytes()) for n, a in load_memory(folder, ORDER).strategy.items())


def progressed(folder: Path) -> object:
    found = load_progress(folder / "checkpoint", {"plan": "p"})
    return None if found is None else (found.previous.tobytes(), found.state.vector.tobytes())


def write_checkpoint(folder: Path) -> None:
    state = State(vector=SMALL, memory={}, round_number=1)
    save_progress(folder / "checkpoint", Progress(state=state, previous=SMALL, identity={"plan": "p"}))


def write_release(folder: Path) -> None:
    from cryofed.federation.releases.store import first_release

    first_release(folder / "releases", initial_vector(0), UNKNOWN, {"origin": "untrained"})


# What writes a file, the file, what reads it, and whether it may read as if it were not there.
FILES: dict[str, tuple[Callable[[Path], object], str, Callable[[Path], object], bool]] = {
    "noise.key": (lambda f: secret_seed(f, 1), "noise.key", lambda f: secret_seed(f, 1), False),
    "counted questions": (
        lambda f: count_question(f, ASKED, AnswerRules(), 1.0),
        FILE,
        lambda f: count_question(f, ASKED, AnswerRules(), 1.0),
        True,
    ),
    "memory of a strategy": (
        lambda f: save_memory(f, EARLIER, SiteMemory(strategy={"control": SMALL})),
        f"memory/{HASH[:16]}-{HASH[:16]}/round-000001.safetensors",
        remembered,
        False,
    ),
    "last answer": (
        lambda f: keep_answer(f, b"order", b"answer" * 20),
        "last.answer",
        lambda f: last_answer(f, b"order"),
        True,
    ),
    "checkpoint": (write_checkpoint, "checkpoint", progressed, False),
    "weights of a release": (
        write_release,
        "releases/0001/weights.safetensors",
        lambda f: vector_hash(read_release(f / "releases/0001").vector),
        False,
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_one_line_or_as_it_was(file: str, damage: str, tmp_path: Path) -> None:
    write, place, read, may_vanish = FILES[file]
    write(tmp_path)
    sound = read(tmp_path)
    DAMAGES[damage](tmp_path / place)
    try:
        found = read(tmp_path)
    except CryoFedError as error:
        told = str(error)
    except OSError as error:
        told = str(of_place(error) or "")
        assert told, "neither main nor the site would say this in one line"
    else:
        # One bit of a key of 32 random bytes is another such key.
        flipped_key = (file, damage) == ("noise.key", "flipped")
        assert found == sound or flipped_key or (may_vanish and found in {None, True})
        return
    assert "\n" not in told


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["ledger.jsonl", "records/*", "state/cryofed/privacy/*.json"])
def test_a_damaged_ledger_or_anchor_refuses(
    file: str, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dp_accounting")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert user_place().is_relative_to(tmp_path)
    made = library(tmp_path / "library.db")
    pay(tmp_path, made)
    (path,) = tmp_path.glob(file)
    DAMAGES[damage](path)
    runs, told = 2, "one line"
    try:
        runs = pay(tmp_path, made).runs
    except CryoFedError as error:
        told = str(error)
    except OSError as error:
        told = str(of_place(error) or "\n")
    assert runs == 2  # never less than what was spent
    assert "\n" not in told


TEXTS = (
    "",
    "[",
    "a = ",
    "\0",
    "é = 1",
    '"' * 1000,
    "[" * 50_000,
    f"a = 1{'0' * 5000}",
    "a.b.c = 1\n[a]\n" * 9,
)


@pytest.mark.parametrize("number", range(len(TEXTS)))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_plan_a_policy_and_settings_of_nonsense_are_one_line(
    number: int, encoding: str, tmp_path: Path
) -> None:
    home = SiteHome(tmp_path)
    readers: list[tuple[Path, Callable[[Path], object]]] = [
        (tmp_path / "plan.toml", read_plan),
        (home.policy, read_policy),
        (home.settings, lambda _: read_settings(home)),
    ]
    for path, read in readers:
        path.write_bytes(TEXTS[number].encode(encoding))
        if TEXTS[number]:
            with pytest.raises(CryoFedError) as caught:
                read(path)
            assert "\n" not in str(caught.value)


def test_a_site_whose_folder_cannot_be_written_sits_out_with_a_code(tmp_path: Path) -> None:
    plan = Plan(training=LocalTraining(steps=1, batch=40))
    made = order(
        "train", 1, initial_vector(0), plan_hash=plan.hash, start_hash=HASH, layout_hash=layout().hash
    )
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file/below", tmp_path / ("long" * 100)):
        site = Site(name="alpha", source=source(0), folder=folder)
        assert answer(pack_order(made), plan, site).failure == "site_error"


COMMANDS = (
    ["library", "export", "{library}", "--to", "{place}"],
    ["federation", "new", "{place}/plan.toml", "--name", "x", "--sites", "a={library}"],
    ["site", "policy", "write", "--home", "{place}"],
    ["train", "--library", "{library}", "--out", "{place}", "--epochs", "1"],
    ["harvest", "{place}", "--library", "{place}/new.db"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: "-".join(words[:2]))
def test_a_place_that_cannot_be_written_is_one_line(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = library(tmp_path / "library.db")
    (tmp_path / "file").write_text("in the way")
    places = {"a file": tmp_path / "file", "below a file": tmp_path / "file/below"}
    if Path("/proc/1").exists():
        places["no disk"] = Path("/proc/no/such")
    for place in places.values():
        words = [word.format(library=made, place=place) for word in command]
        assert main(words) == 1, words
        told = capsys.readouterr().err
        assert told.startswith("error: ")
        assert told.count("\n") == 1
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_what_a_system_says_of_a_place_is_one_line_wherever_it_is_met(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A read-only or full disk cannot be made here by root; what Python raises for one can."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, "no", str(tmp_path / "out"))

    monkeypatch.setattr("cryofed.library.upkeep.export", refuse)
    made = library(tmp_path / "library.db")
    assert main(["library", "export", str(made), "--to", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
