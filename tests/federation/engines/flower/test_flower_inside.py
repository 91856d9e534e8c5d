"""Flower's inside is what this adapter was written for: each name, with its parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra cryofed[flower] is not installed: pip install '.[flower]'")

from tests.federation.engines.remote.inside import holds, importing, other_releases_are_refused

from cryofed.federation.engines.flower import inside
from cryofed.federation.engines.flower.machines import FlowerMachines

FLOWER = Path(inside.__file__).parent


def test_the_pinned_series_is_the_installed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    other_releases_are_refused(FlowerMachines, monkeypatch)


@pytest.mark.parametrize("name", list(inside.NAMES))
def test_each_name_is_there_with_its_parameters(name: str) -> None:
    holds(name, inside.NAMES)


def test_no_other_file_imports_flower() -> None:
    assert importing(FLOWER, "flwr") == ["inside.py"]


def test_a_store_on_the_disk_gives_what_flowers_own_gives(tmp_path: Path) -> None:
    # 200,000 bytes lie on the disk, the table of words in memory; both go when the message does.
    data = bytes(range(250)) * 800
    store = inside.DiskStore(tmp_path)
    message = inside.order_to(7, inside.records({"plan": "a"}, data), run=1, task=1, seconds=60.0)
    tree, objects = inside.sealed(message)
    assert store.came(tree.object_id) is None
    for number in store.preregister(1, tree):
        assert store.get(number) == b""
        assert store.came(number) is False
        store.put(number, objects[number].deflate())
        assert store.came(number)
        assert store.get(number) == objects[number].deflate()
    assert [path.stat().st_size > len(data) for path in tmp_path.iterdir()] == [True]
    store.delete("")
    store.delete("../elsewhere")
    store.delete(tree.object_id)
    assert len(store) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_the_sites_orders_share_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from flwr.supercore.inflatable import inflatable_object

    hashed: list[int] = []
    plain = inflatable_object.get_object_id
    monkeypatch.setattr(
        inflatable_object, "get_object_id", lambda content: hashed.append(len(content)) or plain(content)
    )
    content = inside.records({"plan": "a"}, bytes(100_000))
    with inside.sealing():
        numbers = {
            inside.sealed(inside.order_to(node, content, run=1, task=1, seconds=60.0))[0].object_id
            for node in (7, 8, 9)
        }
    assert len(numbers) == 3
    assert len([size for size in hashed if size > 100_000]) == 1
