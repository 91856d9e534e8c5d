"""Write constraints.txt: the release of every package that `make` installs, as pip resolves them today.

`make lock` and `make lock-ENGINE` run it with pip's report on standard input. Left out are this project, and
PyTorch, which README lets the user choose, with what only PyTorch brings: its CUDA libraries differ from
machine to machine.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

HEAD = """\
# The releases that `make` installs with, so that a new release of somebody else's cannot break a build.
# Made by `make lock` or `make lock-ENGINE`; not for hands. PyTorch is not here: README says how to choose it.
"""
FREE = re.compile(r"cryofed|torch|triton|nvidia-.*|cuda-.*")


def pins(report: Mapping[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    """`name==version` of every package in pip's report, by name."""
    found = {}
    for package in report["install"]:
        name = re.sub(r"[-_.]+", "-", package["metadata"]["name"]).lower()
        if not FREE.fullmatch(name):
            found[name] = package["metadata"]["version"].partition("+")[0]
    return [f"{name}=={version}" for name, version in sorted(found.items())]


if __name__ == "__main__":
    lines = pins(json.load(sys.stdin))
    name = sys.argv[1] if len(sys.argv) > 1 else "constraints.txt"
    Path(__file__).parents[1].joinpath(name).write_text(HEAD + "\n".join(lines) + "\n")
    print(f"{name}: {len(lines)} packages")
