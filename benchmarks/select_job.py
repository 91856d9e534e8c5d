"""`cryofed select` as a whole new process on a RELION job of 200 classes, box 256 and 200,000 particles."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring.process import machine, measure, told

RUNS = 7


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "Class2D/job001"
        # In a process of its own: a child's peak memory is never told as less than its parent's.
        make = "import sys; from pathlib import Path; from benchmarks.measuring.relion_job import write_job;"
        subprocess.run([sys.executable, "-c", make + " write_job(Path(sys.argv[1]))", str(job)], check=True)
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "cryofed", "select", str(job), "--out", str(out), "--force"]
        runs, imports = [], []
        for _ in range(RUNS):
            shutil.rmtree(out, ignore_errors=True)
            runs.append(measure(command))
            imports.append(measure([sys.executable, "-c", "import numpy, mrcfile, onnxruntime"]))
        files = sorted(out.iterdir())
        print(told("select, 200 classes, 200,000 particles", runs))
        print(told("only: import numpy, mrcfile, onnxruntime", imports))
        print(f"all {len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.0f} MB, are written:")
        print(", ".join(f.name for f in files))
        print("aim: under 1.0 s and 300 MB")


if __name__ == "__main__":
    main()
