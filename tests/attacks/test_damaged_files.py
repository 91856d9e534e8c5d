"""Bad luck and tampering: a flipped byte in a file that a campaign stands on is a line, never other bits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.contract import toy
from tests.federation.labelled_blobs import source

from cryofed.cli.main import main
from cryofed.disk.arrays import read_arrays, write_arrays
from cryofed.disk.documents import read_document, write_document
from cryofed.disk.lines import append_line, read_lines
from cryofed.errors import CryoFedError, InputError
from cryofed.federation.aggregator.campaign import run_campaign
from cryofed.federation.aggregator.rounds import open_rounds
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules
from cryofed.federation.engines.embedded.carrier import embedded
from cryofed.federation.releases.store import current_release, first_release
from cryofed.federation.site.answering import Site
from cryofed.federation.wire.orders import pack_order
from cryofed.learning.learner import initial_vector
from cryofed.scoring.calibration import UNKNOWN
from cryofed.web.monitor.routes import monitor_app

NAMES = ("alpha", "beta", "gamma")
PLAN = Plan(
    name="blobs",
    rounds=RoundRules(count=1),
    training=LocalTraining(steps=2, batch=16),
    sites=tuple(EnrolledSite(name=name) for name in NAMES[:2]),
)


def flipped(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)


def test_no_flipped_byte_of_an_array_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_arrays(path, {"a": np.arange(5, dtype=np.float32), "b": np.ones(3, np.int64)}, {"round": 3})
    whole = path.read_bytes()
    padding = range(whole.rindex(b"}", 0, len(whole) - 44) + 1, len(whole) - 44)
    for place in range(len(whole)):
        flipped(path, place)
        try:
            arrays, header = read_arrays(path)
        except InputError:
            pass
        else:  # blanks between header and numbers carry nothing
            assert place in padding or (header == {"round": 3} and arrays["a"].tolist() == [0, 1, 2, 3, 4])
        path.write_bytes(whole)


def test_no_flipped_byte_of_a_document_is_read_as_another_fact(tmp_path: Path) -> None:
    path, told = tmp_path / "x", {"release": 1, "model": "a" * 8, "share": 0.25}
    write_document(path, told)
    whole = path.read_bytes()
    for place in range(len(whole)):
        flipped(path, place)
        with suppress(InputError):
            assert read_document(path) == told
        path.write_bytes(whole)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_number_that_is_not_finite_is_never_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_document(tmp_path / "x", {"auc": value})
    assert not (tmp_path / "x").exists()


def test_a_damaged_line_of_a_report_is_named_and_a_cut_last_one_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rounds.jsonl"
    for number in (1, 2, 3):
        append_line(path, {"round": number})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"round"')
    assert len(read_lines(path)) == 3
    path.write_bytes(whole.replace(b'{"round": 2}', b'\xff"round": 2}'))
    with pytest.raises(InputError, match="line 2: damaged"):
        read_lines(path)


def one_round(folder: Path, close: bool) -> None:
    with open_rounds(folder, toy.plan(NAMES), toy.LAYOUT, toy.START) as rounds:
        order, asked = rounds.begin(NAMES)
        sites = toy.toys(dict.fromkeys(NAMES, "honest"), folder / "sites")
        for name in asked:
            rounds.receive(toy.answer(pack_order(order), rounds.plan, sites[name]))
        if close:
            rounds.close()


def test_a_flipped_byte_of_the_checkpoint_stops_the_campaign(tmp_path: Path) -> None:
    one_round(tmp_path, close=True)
    flipped(tmp_path / "checkpoint.safetensors", -5)
    with pytest.raises(InputError, match=r"checkpoint\.safetensors: content: altered or damaged"):
        one_round(tmp_path, close=True)


def test_a_damaged_update_of_a_stopped_round_is_asked_for_again(tmp_path: Path) -> None:
    one_round(tmp_path, close=False)
    flipped(tmp_path / "spool/beta.update", -5)
    with open_rounds(tmp_path, toy.plan(NAMES), toy.LAYOUT, toy.START) as rounds:
        _, asked = rounds.begin(NAMES)
        assert asked == ("beta",)


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("federation") / "blobs"
    campaign(home)
    return home


def campaign(home: Path) -> None:
    if current_release(home / "releases") is None:
        first_release(home / "releases", initial_vector(0), UNKNOWN, {"origin": "untrained"})
    sites = {name: Site(name=name, source=source(seed)) for seed, name in enumerate(PLAN.site_names)}
    with embedded(PLAN, sites, inline=True) as carrier:
        run_campaign(home, PLAN, carrier)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "emptied": lambda path: path.write_bytes(b""),
    "of zeros": lambda path: path.write_bytes(b"\0" * 100),
    "a list": lambda path: path.write_text("[]\n"),
    "infinite": lambda path: path.write_text('{"promoted": Infinity, "release": 1e999}\n'),
    "nested": lambda path: path.write_text("[" * 100_000),
    "flipped": lambda path: flipped(path, path.stat().st_size // 2),
}
FILES = (
    "campaigns/0001/gate.json",
    "campaigns/0001/start.json",
    "releases/current",
    "releases/0001/card.json",
)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_of_a_federation_ends_in_one_line(
    federation: Path, file: str, damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "blobs"
    shutil.copytree(federation, home)
    DAMAGES[damage](home / file)
    for words in (["status"], ["release", "list"], ["release", "show", "1"]):
        command, rest = (words[:2], words[2:]) if words[0] == "release" else (words, [])
        status = main(["federation", *command, str(home), *rest])
        told = capsys.readouterr()
        assert status in (0, 1)
        if status:
            assert told.err.count("\n") == 1
    answer = TestClient(monitor_app(home)).get("/monitor/facts")
    if answer.status_code == 503:
        assert Path(file).name in answer.json()["error"]
    else:
        assert answer.status_code == 200
        assert damage == "flipped"  # of a card's layout or words, which the monitor does not show
    if "gate" not in file:
        (home / "campaigns/0001/gate.json").unlink()
        with suppress(CryoFedError):  # anything else is a traceback
            campaign(home)
            assert damage == "flipped" or file == "releases/current"


def test_a_campaign_begins_from_no_other_release_than_the_note_says(federation: Path, tmp_path: Path) -> None:
    home = tmp_path / "blobs"
    shutil.copytree(federation, home)
    note = home / "campaigns/0001/start.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"release": 2}))
    (home / "campaigns/0001/gate.json").unlink()
    with pytest.raises(InputError, match="checksum"):
        campaign(home)
