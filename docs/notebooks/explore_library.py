# %% [markdown]
# # Explore a library
#
# A library holds what a site has selected over the years: each class average with its label. It is one file, it stays
# at the site, and Python reads it. This notebook makes a small one from simulated projects. With your own, begin at
# *What is in it*: `path = Path("/data/site.db")`.

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import cryofed

work = Path(tempfile.mkdtemp())


def run(*words):
    subprocess.run([sys.executable, "-m", "cryofed", *map(str, words)], check=True, capture_output=True)


run("simulate", "sites", "--sites", 1, "--jobs", 3, "--jobs-per-project", 1, "--seed", 3, "--out", work / "labs")
run("harvest", work / "labs/site-1", "--library", work / "site.db")
path = work / "site.db"

# %% [markdown]
# ## What is in it
#
# Whole projects are held out of training, so that a model is judged on molecules that it never saw.

# %%
with cryofed.Library(path) as library:
    projects = library.projects()
    labelled = library.labelled()
for project in projects:
    role = "held out" if project.held_out else "trains"
    print(f"{project.name:<12} {role:<9} {project.jobs} jobs, {project.averages:>3} averages, {project.good:>3} good")

# %% [markdown]
# ## What people kept, and what they did not
#
# The first row was kept, the second was not. The middle 64 pixels of each picture are what the network sees.

# %%
shape = labelled.images.shape[-1]
middle = slice((shape - 64) // 2, (shape + 64) // 2)
figure, axes = plt.subplots(2, 8, figsize=(10, 2.8))
for row, kept in zip(axes, (True, False), strict=True):
    chosen = np.flatnonzero(labelled.good == kept)[:8]
    for axis in row:
        axis.axis("off")
    for axis, index in zip(row, chosen, strict=False):
        axis.imshow(labelled.images[index, middle, middle].astype(np.float32), cmap="gray")
    row[0].set_title("kept" if kept else "not kept", loc="left")

# %% [markdown]
# ## Does the shipped model agree?
#
# `cryofed.open_job` and `cryofed.score` give a probability for each class of a job. Here they are set beside the
# labels of one job of the library: what the expert kept should stand on the right.

# %%
job = cryofed.open_job(sorted((work / "labs/site-1").rglob("run_it*_optimiser.star"))[0])
scores = cryofed.score(job)
selection = cryofed.select(job)
print(f"{job.name}: {selection.kept.sum()} of {len(job.classes)} classes are kept at a cut of {selection.cut:.2f}")
figure, axis = plt.subplots(figsize=(7, 2.4))
axis.hist(scores.score[np.isfinite(scores.score)], bins=np.linspace(0, 1, 21), color="#0a7866")
axis.axvline(selection.cut, color="#b23a22")
axis.set_xlabel("score")
axis.set_ylabel("classes")
figure.tight_layout()
