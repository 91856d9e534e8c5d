"""A site's learner's process that answers as a toy: python -m tests.contract.toy_learner KIT."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cryofed.federation.engines.remote.learner_child import plan_in, serve
from cryofed.federation.wire.codecs import Buffer
from cryofed.federation.wire.orders import Answer


@dataclass(frozen=True)
class Site:
    """All that a toy needs of a site."""

    name: str
    source: Any
    folder: Path


def main(home: Path) -> None:
    """Read the toy anew for each order: tests change it while the process runs."""
    # The real module imports torch, which takes seconds in each of dozens of processes, and toys need none.
    stand_in = ModuleType("cryofed.federation.site.answering")
    stand_in.Site = Site  # type: ignore[attr-defined]
    sys.modules["cryofed.federation.site.answering"] = stand_in
    from tests.contract import toy

    def reply(data: Buffer, text: str) -> Answer:
        plan = plan_in(text)
        told = json.loads((home / "toy.json").read_text())
        source = toy.Toy(told["target"], told["behaviour"], told["seconds"])
        return toy.answer(data, plan, Site(home.name, source, home / "toy"))  # type: ignore[arg-type]

    serve(reply)


def set_toys(sites: Path, behaviours: dict[str, str], seconds: float = 0.0) -> None:
    """Tell the sites in this folder how to behave; targets are those of `toy.toys`."""
    for number, (name, what) in enumerate(sorted(behaviours.items())):
        (sites / name).mkdir(parents=True, exist_ok=True)
        told = {"target": number + 1.0, "behaviour": what, "seconds": seconds}
        (sites / name / "toy.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]).parent)
