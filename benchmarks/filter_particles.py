"""Filter a million particle rows by class as bytes, beside starfile, which parses them."""

import sys
import tempfile
from pathlib import Path

from benchmarks.measuring.process import machine, measure, told
from benchmarks.measuring.relion_job import write_particles

ROWS, CLASSES, KEPT = 1_000_000, 100, 49
RUNS = 5
OURS = """
import sys
from pathlib import Path
from cryofed.jobs.row_copies import write_particles
from cryofed.jobs.rows import read_particles
write_particles(read_particles(Path(sys.argv[1])), Path(sys.argv[2]), range(1, 50))
"""
STARFILE = """
import sys
import starfile
tables = starfile.read(sys.argv[1])
rows = tables["particles"]
tables["particles"] = rows[rows["rlnClassNumber"].between(1, 49)]
starfile.write(tables, sys.argv[2], overwrite=True)
"""


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        source, kept = Path(folder) / "data.star", Path(folder) / "kept.star"
        write_particles(source, ROWS, CLASSES)
        print(
            f"{ROWS:,} rows, {source.stat().st_size / 1e6:.0f} MB; classes 1 to {KEPT} of {CLASSES} are kept"
        )
        ours = [measure([sys.executable, "-c", OURS, str(source), str(kept)]) for _ in range(RUNS)]
        print(told("cryofed, rows as bytes", ours))
        exact = _same_rows(source, kept)
        print(f"{exact:,} rows kept, each byte for byte as it was")
        peer = [measure([sys.executable, "-c", STARFILE, str(source), str(kept)])]
        print(told("starfile, read, filter, write", peer))
        print("aim: under 1.5 s and 100 MB")


def _same_rows(source: Path, kept: Path) -> int:
    """Compare with the plainest filter there is; the class number is the seventh field from the end."""
    rows = 0
    with source.open("rb") as before, kept.open("rb") as after:
        for line in before:
            if b"@" in line:
                if not 1 <= int(line.split()[17]) <= KEPT:
                    continue
                rows += 1
            if after.readline() != line:
                sys.exit("the filtered rows differ from the source")
    return rows


if __name__ == "__main__":
    main()
