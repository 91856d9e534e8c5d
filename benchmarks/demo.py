"""`cryofed demo` as a whole new process: seconds and processor time, simulation to report."""

import sys
import tempfile
from pathlib import Path

from benchmarks.measuring.process import machine, measure, told


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        run = measure([sys.executable, "-m", "cryofed", "demo", "--out", str(out)])
        print(told("demo, three sites, to the report", [run]))
        size = (out / "report.html").stat().st_size / 1e6
        print(f"report.html: {size:.1f} MB; aim: under 4 minutes on two cores")


if __name__ == "__main__":
    main()
