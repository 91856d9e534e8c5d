"""`cryofed select` on a job of a million particles, in turn with mawk's filter and one copy of the file.

What a selection of RELION writes is the rows of kept classes (what mawk does) and all rows once more
(`rank_data.star`, what cp does). The rest is reading, scoring, checking what was written, and the report.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring.process import Run, machine, measure, told

PARTICLES, CLASSES, BOX, RUNS = 1_000_000, 100, 64, 3
FIELD, WIDTH = 18, 24  # of the class number, and of a row


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        job = place / "Class2D/job001"
        # In a process of its own: a child's peak memory is never told as less than its parent's.
        make = "import sys; from pathlib import Path; from benchmarks.measuring.relion_job import write_job;"
        make += f" write_job(Path(sys.argv[1]), {CLASSES}, {BOX}, {PARTICLES})"
        subprocess.run([sys.executable, "-c", make, str(job)], check=True)
        data, out = job / "run_it025_data.star", place / "out"
        print(
            f"{PARTICLES:,} rows, {data.stat().st_size / 1e6:.0f} MB; the first half of the classes is kept"
        )
        awk = shutil.which("mawk") or "awk"
        keep = f"NF != {WIDTH} || ${FIELD} <= {CLASSES // 2}"
        half = place / "half.tsv"
        rows = [f"{number}\t{int(number <= CLASSES // 2)}" for number in range(1, CLASSES + 1)]
        half.write_text("\n".join(["class_number\tlabel", *rows, ""]))
        select = [sys.executable, "-m", "cryofed", "select", str(job), "--force", "--out", str(out)]
        commands = {
            "select": [*select, "--learn-from", str(half)],
            Path(awk).name: ["sh", "-c", f'{awk} "$0" "$1" > "$2"', keep, str(data), str(place / "kept")],
            "cp": ["cp", str(data), str(place / "copy")],
        }
        runs: dict[str, list[Run]] = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, command in commands.items():
                shutil.rmtree(out, ignore_errors=True)
                runs[name].append(measure(command))
        for name, found in runs.items():
            print(told(name, found))
        ours, filtered, copied = runs.values()
        print(f"select / (filter + copy), run by run: {_ratios(ours, filtered, copied)}")


def _ratios(ours: Sequence[Run], filtered: Sequence[Run], copied: Sequence[Run]) -> str:
    """The medians of the ratios of wall seconds and of processor seconds."""
    wall = [a.seconds / (b.seconds + c.seconds) for a, b, c in zip(ours, filtered, copied, strict=True)]
    cpu = [
        a.cpu_seconds / (b.cpu_seconds + c.cpu_seconds)
        for a, b, c in zip(ours, filtered, copied, strict=True)
    ]
    return f"{statistics.median(wall):.2f} wall, {statistics.median(cpu):.2f} processor"


if __name__ == "__main__":
    main()
