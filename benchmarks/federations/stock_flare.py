"""Stock FLARE's FedAvg recipe in FLARE's own simulator, without TLS: python -m … SIZE ROUNDS FOLDER.

Prints the median seconds between the ends of two rounds, of three sites that send back what they received.
"""

from __future__ import annotations

import contextlib
import io
import re
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

_ROUND = re.compile(r"^\d{4}-\d\d-\d\d .*Saved numpy model to")  # once at the end of each round


def main(size: int, rounds: int, folder: Path) -> float:
    from nvflare.app_common.np.recipes.fedavg import NumpyFedAvgRecipe
    from nvflare.recipe import SimEnv

    start, work = folder / "start.npy", folder / "work"
    np.save(start, np.zeros(size, np.float32))
    script = str(Path(__file__).with_name("stock_flare_site.py"))
    recipe = NumpyFedAvgRecipe(
        name="stock", initial_ckpt=str(start), min_clients=3, num_rounds=rounds, train_script=script
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        recipe.execute(SimEnv(num_clients=3, workspace_root=str(work)))
    times: list[float] = []
    for log in work.rglob("log.txt"):
        if "server" in str(log):
            times += [_time(line) for line in log.read_text().splitlines() if _ROUND.search(line)]
    return statistics.median(after - before for before, after in pairwise(sorted(times)))


def _time(line: str) -> float:
    """Seconds of the epoch at which FLARE logged this line: `2026-11-23 15:02:26,695 - …`."""
    return time.mktime(time.strptime(line[:19], "%Y-%m-%d %H:%M:%S")) + int(line[20:23]) / 1000


if __name__ == "__main__":
    print(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
