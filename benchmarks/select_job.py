"""`cryofed select` as a whole new process on a RELION job of 200 classes, box 256 and 200,000 particles.

Half of the classes are kept, so that half of the particles are written: the cut is the middle of the scores.

Beside it the Python part of RELION's class ranker: PyTorch, and its network over pictures and features that
its C++ part has made before. The network is written anew, with random weights: for time only.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring.process import machine, measure, told

RUNS = 7
CLASSES, FEATURES = 200, 18
RANKER = """
import sys
import numpy as np
import torch
from benchmarks.peers.shapes import RelionShape, Scaled
images, features = (torch.from_numpy(np.load(name)) for name in sys.argv[1:3])
model = RelionShape(Scaled(torch.zeros(features.shape[1]), torch.ones(features.shape[1]))).eval()
with torch.no_grad():
    print(model(images, features).tolist())
"""


def middle(job: Path, out: Path) -> float:
    """The score above which half of the classes lie."""
    command = [sys.executable, "-m", "cryofed", "select", str(job), "--out", str(out), "--json", "--force"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return statistics.median(one["score"] for one in json.loads(done.stdout)["classes"])


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "Class2D/job001"
        # In a process of its own: a child's peak memory is never told as less than its parent's.
        make = "import sys; from pathlib import Path; from benchmarks.measuring.relion_job import write_job;"
        subprocess.run([sys.executable, "-c", make + " write_job(Path(sys.argv[1]))", str(job)], check=True)
        out = Path(folder) / "out"
        cut = ["--threshold", f"{middle(job, Path(folder) / 'first')}", "--max-loss", "0.9"]
        command = [sys.executable, "-m", "cryofed", "select", str(job), "--out", str(out), *cut]
        pictures, table = Path(folder) / "images.npy", Path(folder) / "features.npy"
        rng = np.random.default_rng(0)
        np.save(pictures, rng.normal(size=(CLASSES, 64, 64)).astype(np.float32))
        np.save(table, rng.normal(size=(CLASSES, FEATURES)).astype(np.float32))
        ranker = [sys.executable, "-c", RANKER, str(pictures), str(table)]
        runs, imports, ranked = [], [], []
        for _ in range(RUNS):
            shutil.rmtree(out, ignore_errors=True)
            runs.append(measure(command))
            ranked.append(measure(ranker))
            imports.append(measure([sys.executable, "-c", "import numpy, mrcfile, onnxruntime"]))
        files = sorted(out.iterdir())
        print(told("select, 200 classes, 200,000 particles", runs))
        print(told("RELION's class ranker, its Python part only", ranked))
        ratio = statistics.median(a.seconds / b.seconds for a, b in zip(runs, ranked, strict=True))
        cpu = statistics.median(a.cpu_seconds / b.cpu_seconds for a, b in zip(runs, ranked, strict=True))
        print(f"select / RELION's Python part, run by run: {ratio:.2f} wall, {cpu:.2f} processor; aim: 0.6")
        print(told("only: import numpy, mrcfile, onnxruntime", imports))
        print(f"all {len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.0f} MB, are written:")
        print(", ".join(f.name for f in files))
        print("aim: under 1.0 s and 300 MB")


if __name__ == "__main__":
    main()
