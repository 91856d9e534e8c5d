"""What each engine costs: seconds of a round, memory by sites, bytes; beside it the framework's own FedAvg.

Each engine is measured in an environment of this checkout that has it (this one, or `.venv-ENGINE`). One that
has none is left out and named. Sites answer at once, as real processes over mutual TLS on this machine. The
stock FedAvg of each framework runs with three sites on the same vectors, without TLS. The table goes between
the marks of docs/engines.md. What takes longer than its time is left out: half an hour or so in all. Every
part is kept in a cache for this code, so that a run that was stopped goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from benchmarks.federations.carrying import LARGE, PARTS, ROOT, SMALL
from benchmarks.measuring.page import write_between
from cryofed.federation.agreement.engines import engine_names

PAGE = ROOT / "docs" / "engines.md"
MOST_S = 300  # of one part of an engine
STOCK_S = 150  # of one stock run
STOCK_ROUNDS = {SMALL: 4, LARGE: 3}
NEEDS = (
    "from cryofed.federation.engines.deployment import machines_of as m; import sys; m(sys.argv[1]).need()"
)
SITES = (1, 3, 6, 9)

CACHE = Path(os.environ.get("CRYOFED_BENCH_CACHE", ROOT / "build")) / "bench-engines"

Figures = dict[tuple[str, int, int], float]


def main() -> None:
    """Every engine that is here, one after the other."""
    found: dict[str, Figures] = {}
    for engine in engine_names():
        python = python_with(engine)
        if python is None:
            print(
                f"{engine}: left out, no environment of this checkout has it: make .venv-{engine}", flush=True
            )
            continue
        found[engine] = measured(python, engine) | stock(python, engine)
        print(
            json.dumps({engine: {" ".join(map(str, key)): one for key, one in found[engine].items()}}),
            flush=True,
        )
    page = f"{facts()}\n\n{table(found)}"
    print(page)
    write_between(PAGE, {"engines": page})


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}


def python_with(engine: str) -> str | None:
    """An interpreter that has this engine."""
    if engine == "embedded":
        return sys.executable
    for place in (Path(sys.executable), ROOT / f".venv-{engine}/bin/python"):
        words = [str(place), "-c", NEEDS, engine]
        done = place.exists() and subprocess.run(words, env=environment(), capture_output=True, check=False)
        if done and done.returncode == 0:
            return str(place)
    return None


def measured(python: str, engine: str) -> Figures:
    """What `carrying` tells, part after part."""
    found: Figures = {}
    for part in PARTS if engine != "embedded" else PARTS[:-1]:  # it has no wire

        def run(folder: Path, part: str = part) -> list[dict[str, Any]] | None:
            file = folder / "figures"
            words = [python, "-m", "benchmarks.federations.carrying", engine, part, str(file)]
            whole = within(MOST_S, words) is not None
            return (
                [json.loads(line) for line in file.read_text().splitlines()]
                if whole and file.exists()
                else None
            )

        found |= figures(kept(f"{engine}-{part}", code(engine), run))
    return found


def stock(python: str, engine: str) -> Figures:
    """Seconds of a round of the framework's own FedAvg, three sites."""
    module = f"benchmarks.federations.stock_{engine}"
    if not (ROOT / f"{module.replace('.', '/')}.py").exists():
        return {}
    found: Figures = {}
    for numbers, rounds in STOCK_ROUNDS.items():

        def run(folder: Path, numbers: int = numbers, rounds: int = rounds) -> list[dict[str, Any]] | None:
            told = within(STOCK_S, [python, "-m", module, str(numbers), str(rounds), str(folder)])
            if told is None:
                return None
            return [{"what": "stock", "sites": 3, "numbers": numbers, "value": float(told.split()[-1])}]

        found |= figures(kept(f"{engine}-stock-{numbers}", code(""), run))
    return found


def figures(told: list[dict[str, Any]]) -> Figures:
    return {(one["what"], one["sites"], one["numbers"]): one["value"] for one in told}


def kept(name: str, word: str, run: Callable[[Path], list[dict[str, Any]] | None]) -> list[dict[str, Any]]:
    """What a part told, from the cache or run now; nothing where it takes too long, or fails."""
    file = CACHE / f"{name}-{word}.json"
    if not file.exists():
        others = psutil.cpu_percent(2.0) / 100 * (os.cpu_count() or 1)
        with tempfile.TemporaryDirectory() as folder:
            told = run(Path(folder))
        print(f"{name}: {'left out' if told is None else told}; others had {others:.1f} cores", flush=True)
        if told is None:
            return []
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"others": others, "told": told}))
    return list(json.loads(file.read_text())["told"])


@cache
def code(engine: str) -> str:
    """A word for what is measured: the federation with this engine, and what runs it; none: stock runs."""
    runs, federation = ROOT / "benchmarks/federations", ROOT / "src/cryofed/federation"
    files = [*runs.rglob("*.py"), *federation.rglob("*.py")] if engine else list(runs.glob("stock_*.py"))
    others = tuple(f"{federation / 'engines' / one}{os.sep}" for one in engine_names() if one != engine)
    told = hashlib.sha256()
    for path in sorted(files):
        if not str(path).startswith(others):
            told.update(path.read_bytes())
    return told.hexdigest()[:12]


def within(seconds: float, words: list[str]) -> str | None:
    """What a program prints; None where it takes longer, or fails. None of its processes is left."""
    with subprocess.Popen(
        words, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            told, _ = process.communicate(timeout=seconds)
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as stopped:
            process.terminate()  # a federation ends its own processes, which have sessions of their own
            with suppress(subprocess.TimeoutExpired):
                process.wait(120)
            if isinstance(stopped, KeyboardInterrupt):
                raise
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return told if process.returncode == 0 else None


def facts() -> str:
    """Where and when."""
    files = [file for word in map(code, ["", *engine_names()]) for file in CACHE.glob(f"*-{word}.json")]
    others = sorted(json.loads(file.read_text())["others"] for file in files)
    days = sorted({datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat() for file in files})
    when = " to ".join(dict.fromkeys([days[0], days[-1]]))
    return (
        f"Measured {when} on {os.cpu_count()} cores, of which other programs had {others[0]:.1f} to "
        f"{others[-1]:.1f} just before a part began, by `make bench-engines`."
    )


def table(found: Mapping[str, Figures]) -> str:
    """One column per engine; `–`: not measured, or not in its time."""
    rows: list[tuple[str, tuple[str, int, int], str]] = [
        ("seconds of a round, 3 sites, 0.4 M numbers (1.6 MB)", ("seconds", 3, SMALL), ".2f"),
        ("… of the framework's own FedAvg, 3 sites, no TLS", ("stock", 3, SMALL), ".2f"),
        ("CPU seconds of the aggregator in a round, 3 sites, 1.6 MB", ("cpu", 3, SMALL), ".2f"),
        ("… 3 sites, 100 MB", ("cpu", 3, LARGE), ".1f"),
        *(
            (
                f"seconds of a round, {n} site{'s' * (n > 1)}, 25 M numbers (100 MB)",
                ("seconds", n, LARGE),
                ".1f",
            )
            for n in SITES
        ),
        ("… of the framework's own FedAvg, 3 sites, no TLS", ("stock", 3, LARGE), ".1f"),
        *(
            (
                f"MiB at the aggregator at most, {n} site{'s' * (n > 1)}, 100 MB",
                ("aggregator", n, LARGE),
                ".0f",
            )
            for n in SITES
        ),
        ("MiB at the aggregator at most, 3 sites, 1.6 MB", ("aggregator", 3, SMALL), ".0f"),
        ("MiB at a site beside its learner, 100 MB", ("site", 3, LARGE), ".0f"),
        ("MB on the wire per site and round; two vectors are 3.20", ("bytes", 3, SMALL), ".2f"),
        ("seconds from start to the end of round 1, 3 sites", ("first", 3, SMALL), ".1f"),
        ("seconds from kill -9 of the aggregator to the next round", ("killed", 3, SMALL), ".1f"),
    ]

    def cell(figures: Figures, key: tuple[str, int, int], form: str) -> str:
        value = figures.get(key)
        return "–" if value is None else format(value / 1e6 if key[0] == "bytes" else value, form)

    lines = ["| | " + " | ".join(f"`{name}`" for name in found) + " |", "|---|" + "---:|" * len(found)]
    for words, key, form in rows:
        lines.append(f"| {words} | " + " | ".join(cell(one, key, form) for one in found.values()) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.0f} s")
