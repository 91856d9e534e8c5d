"""Flower's inside is what this adapter was written for: each name, with its parameters."""

from __future__ import annotations

import importlib
import inspect
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("flwr", reason="the extra cryofed[flower] is not installed: pip install '.[flower]'")

from cryofed.errors import FederationError
from cryofed.federation.engines.flower import inside, machines

FLOWER = Path(inside.__file__).parent


def found(dotted: str) -> Any:
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            one: Any = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            one = getattr(one, part)
        return one
    raise AssertionError(f"no module of {dotted}")


def test_the_pinned_series_is_the_installed_one() -> None:
    assert version("flwr").startswith(f"{machines.RELEASE}.")
    machines.need_flower()


def test_another_series_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "RELEASE", "9.9")
    with pytest.raises(FederationError, match=r"is installed; run: pip install 'flwr==9\.9\.\*'"):
        machines.need_flower()


@pytest.mark.parametrize("name", list(inside.NAMES))
def test_each_name_is_there_with_its_parameters(name: str) -> None:
    assert tuple(inspect.signature(found(name)).parameters) == inside.NAMES[name]


def test_no_other_file_imports_flower() -> None:
    importing = [
        path.name
        for path in sorted(FLOWER.rglob("*.py"))
        if re.search(r"^\s*(from|import) flwr\b", path.read_text(), re.MULTILINE)
    ]
    assert importing == ["inside.py"]


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
