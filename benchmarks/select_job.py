"""`cryofed select` as a whole new process on a RELION job of 200 classes, box 256 and 200,000 particles."""

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks._process import machine, measure, told
from benchmarks._relion_job import write_job

RUNS = 7


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        job = write_job(Path(folder) / "Class2D/job001")
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "cryofed", "select", str(job), "--out", str(out), "--force"]
        runs = []
        for _ in range(RUNS):
            shutil.rmtree(out, ignore_errors=True)
            runs.append(measure(command))
        files = sorted(out.iterdir())
        print(told("select, 200 classes, 200,000 particles", runs))
        print(f"all {len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.0f} MB, are written:")
        print(", ".join(f.name for f in files))
        print("aim: under 1.0 s and 300 MB")


if __name__ == "__main__":
    main()
