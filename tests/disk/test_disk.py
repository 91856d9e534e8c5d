"""Files that survive a crash: whole or not at all, locked by one process, chained, arrays as maps."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path
from threading import Timer

import numpy as np
import pytest

from cryofed.disk.arrays import read_arrays, write_arrays
from cryofed.disk.chain import add_record, head, read_chain
from cryofed.disk.lock import held, is_held, sole_run, wait_for
from cryofed.disk.whole import write_whole
from cryofed.errors import BusyError, InputError, OutputError


def test_a_file_that_cannot_be_replaced_stays_as_it_was_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_whole(path, b"old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole(tmp_path / "folder", b"new")  # a folder is in its place
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        write_whole(tmp_path / "absent" / "state", b"new")
    assert path.read_bytes() == b"old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", "state"]


def test_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    write_whole(tmp_path / "key", b"secret", mode=0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_looking_whether_a_folder_is_held_keeps_nobody_out(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert not is_held(tmp_path / "none")
    with sole_run(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
    with (tmp_path / "lock").open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        Timer(0.01, looking.close).start()
        with sole_run(tmp_path):  # one who looks for 10 ms: it waits 50 ms before it gives up
            assert is_held(tmp_path)


def test_a_folder_is_held_by_one_process_and_the_other_is_told_which(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from cryofed.disk.lock import sole_run
with sole_run(Path({str(tmp_path)!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match=f"process {other.pid} runs here"), sole_run(tmp_path):
            pass
        other.kill()
        other.wait()
        wait_for(tmp_path, 5)
        with held(tmp_path / "lock", 0):  # the system let go of it
            pass


def test_what_stands_in_a_chain_is_seen_by_who_adds_to_it(tmp_path: Path) -> None:
    path = tmp_path / "chain"
    for number in range(3):
        add_record(path, lambda earlier, number=number: {"number": number, "before": len(earlier)})
    assert [record["before"] for record in read_chain(path)] == [0, 1, 2]
    before = head(path)
    add_record(path, lambda _: None)
    assert head(path) == before


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_record_that_was_changed_is_found_wherever_it_stands(tmp_path: Path, number: int) -> None:
    path = tmp_path / "chain"
    for value in range(4):
        add_record(path, lambda _, value=value: {"value": value})
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number] = lines[number].replace(b'"value": ', b'"value": 1')
    path.write_bytes(b"".join(lines))
    with pytest.raises(InputError, match=f"line {number + 2}: it, or a line before it, was altered"):
        read_chain(path)


def test_arrays_come_back_as_maps_of_the_file(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "empty": np.zeros((0, 4), np.int64)}
    write_arrays(tmp_path / "x", arrays, {"round": 3})
    found, header = read_arrays(tmp_path / "x")
    assert header == {"round": 3}
    assert {name: array.tolist() for name, array in found.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
    with pytest.raises(ValueError, match="read-only"):
        found["a"][0, 0] = 1


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, b"\x02" + b"\0" * 7 + b"{", b"\x02" + b"\0" * 7 + b"[]"]
)
def test_what_holds_no_arrays_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match="remove this file"):
        read_arrays(tmp_path / "x")
