"""A site that dies in each phase of an order, and an aggregator that does: the other one goes on.

A process that is killed is here a life that says no more: the next one has a word of its own.
`tests/federation/engines/remote` kills real processes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("flwr", reason="the extra cryofed[flower] is not installed: pip install '.[flower]'")

from tests.federation.engines.flower.served import Never, Served

from cryofed.errors import FederationError
from cryofed.federation.engines.flower import inside
from cryofed.federation.engines.flower.calls import Fleet

ORDER = bytes(range(256)) * 30_000  # 7.7 MB: two pieces


def waits(fleet: Fleet, node: int, folder: Path) -> None:
    """It has asked for nothing yet."""


def pulls(fleet: Fleet, node: int, folder: Path) -> None:
    """It knows that there is an order."""
    assert fleet.pull(node)


def fetches(fleet: Fleet, node: int, folder: Path) -> None:
    """It has one of the order's objects."""
    message, tree = fleet.pull(node) or pytest.fail("no order")
    first = next(iter(inside.iterate_object_tree(tree))).object_id
    asked = inside.PullObjectRequest(
        node=inside.Node(node_id=node), run_id=message.metadata.run_id, object_id=first
    )
    assert fleet._call("PullObject", asked).object_available


def works(fleet: Fleet, node: int, folder: Path) -> Any:
    """Its learner has the order."""
    message, tree = fleet.pull(node) or pytest.fail("no order")
    fleet.fetch(node, message, tree, folder / "order", Never())
    assert (folder / "order").read_bytes() == ORDER
    return message


def sends(fleet: Fleet, node: int, folder: Path) -> None:
    """The head of its answer is there, and no piece."""
    message = works(fleet, node, folder)
    (folder / "half").write_bytes(ORDER)
    call = fleet._call

    def cut(name: str, asked: Any) -> Any:
        if name == "PushObject":
            raise FederationError("killed")
        return call(name, asked)

    fleet._call = cut  # type: ignore[method-assign]  # cuts the line
    with pytest.raises(FederationError, match="killed"):
        fleet.reply(node, message, "", folder / "half")


Phase = Callable[[Fleet, int, Path], object]
PHASES: list[Phase] = [waits, pulls, fetches, works, sends]


def does(served: Served, fleet: Fleet, node: int, folder: Path) -> None:
    """One order, whole."""
    served.carrier.ask(ORDER, ["alpha"])
    message = works(fleet, node, folder)
    (folder / "answer").write_bytes(b"done")
    fleet.reply(node, message, "", folder / "answer")
    found = served.carrier.answer(60.0)
    assert found is not None
    assert (found.site, bytes(found.data), found.failure) == ("alpha", b"done", "")
    served.carrier.dismiss()
    assert len(served.link.store) == 0
    assert list(served.link.folder.iterdir()) == []


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__)
def test_a_site_that_dies_loses_its_order_at_once_and_comes_back(
    served: Served, phase: Phase, tmp_path: Path
) -> None:
    own = served.sites["alpha"].identity
    first = served.fleet(own)
    node = first.activate(None)
    served.carrier.ask(ORDER, ["alpha"])
    phase(first, node, tmp_path)
    assert served.carrier.answer(0.1) is None  # it may still answer
    second = served.fleet(own)
    again = second.activate(node)
    found = served.carrier.answer(60.0)
    assert found is not None
    assert (found.site, found.failure) == ("alpha", "site_gone")
    served.carrier.dismiss()
    assert list(served.link.folder.iterdir()) == []  # what was half sent is gone
    does(served, second, again, tmp_path)


@pytest.mark.parametrize("phase", PHASES[:4], ids=lambda phase: phase.__name__)
def test_a_site_goes_on_with_an_aggregator_that_was_started_again(
    served: Served, phase: Phase, tmp_path: Path
) -> None:
    fleet = served.fleet(served.sites["alpha"].identity)
    node = fleet.activate(None)
    served.carrier.ask(ORDER, ["alpha"])
    message = phase(fleet, node, tmp_path)
    served.carrier.close()
    served.link.close()
    served.open(served.port)
    if message is not None:  # an answer to the order before comes too late
        (tmp_path / "late").write_bytes(b"late")
        with pytest.raises(FederationError):
            fleet.reply(node, message, "", tmp_path / "late")
    does(served, fleet, fleet.activate(node), tmp_path)
