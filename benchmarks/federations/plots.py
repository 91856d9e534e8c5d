"""Plots of docs/strategies.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from benchmarks.federations.cells import ROOT

IMAGES = ROOT / "docs" / "images"
EVERY = 2  # rounds between two points of a course
WORST = 0.03  # loss of AUC that has the darkest color
LINE = 0.01  # what a robust rule may lose
GROUPS = {
    "the server's step": ("fedavgm", "fedadam", "fedyogi", "fedadagrad"),
    "the sites' steps": ("fedprox", "fednova", "scaffold", "feddyn", "cyclic"),
    "robust rules": (
        "robust", "norm-bounded", "median", "trimmed-mean", "geometric-median", "multi-krum", "krum",
    ),
}  # fmt: skip


def plot_courses(courses: dict[str, list[float]], pooled: float | None, path: Path) -> None:
    """AUC by round: a panel per kind of strategy, `fedavg` and pooled training in each to compare."""
    IMAGES.mkdir(exist_ok=True)
    figure, panels = plt.subplots(1, 3, figsize=(11, 5), sharey=True, constrained_layout=True)
    for axes, (title, names) in zip(panels, GROUPS.items(), strict=True):
        known = sorted((name for name in names if name in courses), key=lambda name: -courses[name][-1])
        for name in ["fedavg", *known]:
            if name in courses:
                rounds = np.arange(1, len(courses[name]) + 1) * EVERY
                style = {"color": "k", "lw": 2.5, "alpha": 0.45} if name == "fedavg" else {}
                axes.plot(rounds, courses[name], marker=".", label=name, **style)
        if pooled:
            axes.axhline(pooled, color="0.3", lw=1, ls="--")
            axes.annotate("pooled", (EVERY, pooled), (0, 3), textcoords="offset points", color="0.3")
        axes.set(xlabel="round", title=title)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncol=2, frameon=False)
    if courses:
        low = np.quantile([min(course) for course in courses.values()], 0.2)
        high = max([pooled or 0, *(max(course) for course in courses.values())])
        panels[0].set_ylim(low - 0.004, high + 0.003)
    panels[0].set_ylabel("AUC on held-out molecules, seed 1")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def plot_attacks(losses: dict[str, dict[str, float | None]], attacks: Sequence[str], path: Path) -> None:
    """Change of AUC by strategy and attack as a colored table, the strategy that loses least at the top."""
    names = sorted(losses, key=lambda name: _worst(losses[name]))
    # A gap, in grey, is None or absent; as a float that is NaN.
    changes = np.array([[losses[name].get(attack) for attack in attacks] for name in names], np.float64)
    figure, axes = plt.subplots(figsize=(7.5, 0.8 + 0.32 * len(names)), constrained_layout=True)
    colors = mpl.colormaps["RdBu"].with_extremes(bad="0.85")
    axes.imshow(changes, cmap=colors, vmin=-WORST, vmax=WORST, aspect="auto", alpha=0.85)
    for row, name in enumerate(names):
        for column, attack in enumerate(attacks):
            change = losses[name].get(attack)
            text = (
                f"{change:+.3f}" if change is not None else "stops" if attack in losses[name] else "not run"
            )
            beyond = text == "stops" or (change or 0) < -LINE
            color = "w" if change is not None and change < -WORST * 0.6 else "k"
            weight = "bold" if beyond else "normal"
            axes.text(column, row, text, ha="center", va="center", fontsize=9, color=color, weight=weight)
    axes.set_xticks(range(len(attacks)), attacks)
    axes.set_yticks(range(len(names)), names)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _worst(told: dict[str, float | None]) -> float:
    """The largest loss; a campaign that stopped has no model at all."""
    return max(1.0 if change is None else -change for change in told.values())
