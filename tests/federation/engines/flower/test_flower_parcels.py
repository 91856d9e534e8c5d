"""Bytes in Flower's records: whole or refused, whatever their sender says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("flwr", reason="the extra cryofed[flower] is not installed: pip install '.[flower]'")

from cryofed.errors import FederationError
from cryofed.federation.engines.flower import inside, parcels


def packed(data: bytes, **header: str) -> tuple[Any, dict[str, bytes]]:
    """A message's tree, and its objects as they travel."""
    message = inside.order_to(7, inside.records(header, data), run=1, task=1, seconds=60.0)
    tree, objects = inside.sealed(message)
    return tree, {number: one.deflate() for number, one in objects.items()}


def node(number: str, *children: Any) -> SimpleNamespace:
    return SimpleNamespace(object_id=number, children=list(children))


@pytest.mark.parametrize("size", [1, 1000, inside.PIECE, 2 * inside.PIECE + 1])
def test_what_was_packed_comes_out(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    tree, objects = packed(data, plan="name = 'a'")
    # Pieces are full but for the last one; five objects hold none: message, records, table, record, array.
    assert len(objects) == -(-size // inside.PIECE) + 5
    assert len(objects) <= parcels.most_objects(size)
    assert parcels.unfold(tree, objects.__getitem__, tmp_path / "data", size) == {"plan": "name = 'a'"}
    assert (tmp_path / "data").read_bytes() == data


def test_equal_pieces_travel_once_and_come_out_as_often_as_they_were(tmp_path: Path) -> None:
    data = bytes(3 * inside.PIECE)
    tree, objects = packed(data)
    assert len(objects) == 6
    parcels.unfold(tree, objects.__getitem__, tmp_path / "data", len(data))
    assert (tmp_path / "data").read_bytes() == data


def test_a_message_without_bytes_leaves_no_file(tmp_path: Path) -> None:
    tree, objects = packed(b"", failure="site_crashed")
    header = parcels.unfold(tree, objects.__getitem__, tmp_path / "data", 10)
    assert parcels.failure_in(header) == "site_crashed"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("code", ["Traceback in /a/file", "a" * 65, 3, b"x", "ümlaut"])
def test_a_failure_that_is_no_code_is_not_passed_on(code: object) -> None:
    assert parcels.failure_in({"failure": code}) == "malformed"


def test_one_byte_too_many_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    tree, objects = packed(b"12345678")
    with pytest.raises(FederationError, match="over 7 bytes"):
        parcels.unfold(tree, objects.__getitem__, tmp_path / "data", 7)
    assert not (tmp_path / "data").exists()


def test_a_short_array_that_repeats_one_piece_a_million_times_is_refused(tmp_path: Path) -> None:
    tree, objects = packed(b"12345678")
    (array,) = tree.children[0].children[1].children
    head, body = objects[array.object_id].split(b"\0", 1)
    told = json.loads(body) | {"arraychunk_ids": [0] * 1_000_000}
    objects[array.object_id] = head + b"\0" + json.dumps(told).encode()
    with pytest.raises(FederationError, match="too many pieces"):
        parcels.unfold(tree, objects.__getitem__, tmp_path / "data", 1 << 30)


def test_whatever_else_comes_is_refused_in_one_line(tmp_path: Path) -> None:
    tree, objects = packed(b"12345678", plan="a")
    records = tree.children[0]
    table, record = records.children
    (array,) = record.children
    hostile = [
        (node("message"), objects),
        (node("message", records, records), objects),
        (node("message", node("records")), objects),
        (node("message", node("records", table, table)), {table.object_id: b""}),
        (node("message", node("records", table, node("record"))), objects),
        (node("message", node("records", table, node("record", node("gone")))), objects),
        (tree, objects | {array.object_id: b"Array,,3\0{}x"}),
        (tree, objects | {array.object_id: b"\xff\xfe"}),
        (tree, objects | {array.children[0].object_id: b"RecordDict 0\0"}),
        (tree, dict.fromkeys(objects, b"")),
        (tree, dict.fromkeys(objects)),
    ]
    for shape, contents in hostile:
        with pytest.raises(FederationError, match="malformed"):
            parcels.unfold(shape, contents.__getitem__, tmp_path / "data", 1000)  # type: ignore[arg-type]
        assert not (tmp_path / "data").exists()
