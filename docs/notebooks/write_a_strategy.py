# %% [markdown]
# # Write a strategy, and compare it
#
# A strategy says how the sites' changes become the next common model. It is one small class of pure functions over
# vectors. This notebook writes one, *half steps*, which moves the model by half of the mean change, and sets it
# beside FedAvg and the coordinate median on three simulated labs.

# %%
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import cryofed

work = Path(tempfile.mkdtemp())


def run(*words):
    subprocess.run([sys.executable, "-m", "cryofed", *map(str, words)], check=True, capture_output=True)


run("simulate", "sites", "--sites", 3, "--jobs", 2, "--jobs-per-project", 1, "--seed", 3, "--out", work / "labs")
for number in (1, 2, 3):
    run("harvest", work / f"labs/site-{number}", "--library", work / f"lab-{number}.db")
sites = ",".join(f"lab-{number}=lab-{number}.db" for number in (1, 2, 3))
run("federation", "new", work / "plan.toml", "--sites", sites, "--rounds", 2, "--whole")
plan = (work / "plan.toml").read_text()
(work / "plan.toml").write_text(plan.replace("steps = 30 ", "steps = 4 ").replace("batch = 64 ", "batch = 16 "))

# %% [markdown]
# ## The strategy and the comparison, in 25 lines
#
# `state.vector` is the common model. Each update has the `vector` of its change, the `site` and its `examples`. The
# updates come one after the other, and need not be held in memory together.

# %%
# begin
@dataclass(frozen=True, slots=True, kw_only=True)
class HalfSteps(cryofed.Strategy):
    """Half of the mean change, each site counted by its averages."""

    name = "half-steps"
    paper = "none; an example"
    share: float = 0.5

    def combine(self, state, updates):
        total, count = np.zeros_like(state.vector), 0
        for update in updates:
            total += update.examples * update.vector
            count += update.examples
        step = np.float32(self.share / count) * total
        return cryofed.State(vector=state.vector + step, round_number=state.round_number + 1)


rows = cryofed.compare(work / "plan.toml", ["fedavg", "median", HalfSteps], seeds=1)
for row in rows:
    print(f"{row.name:<12} AUC {np.mean(row.auc):.4f}, worst site {np.mean(row.worst_gain):+.4f}")
print(f"all averages in one place {np.mean(rows[0].pooled):.4f}, best lab alone {np.mean(rows[0].best_alone):.4f}")
# end

# %% [markdown]
# One seed of three small labs tells nothing about which is better: a difference within the spread over seeds is none.
# `docs/strategies.md` has the measured comparison. A strategy that stays gets a file, a test and a row in that page:
# `CONTRIBUTING.md` walks through it.
