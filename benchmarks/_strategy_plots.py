"""Plots of docs/strategies.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from benchmarks._cells import ROOT

IMAGES = ROOT / "docs" / "images"
EVERY = 2  # rounds between two points of a course


def plot_courses(courses: dict[str, list[float]], pooled: float | None, path: Path) -> None:
    """AUC by round, a line per strategy, the best at the end first in the legend."""
    IMAGES.mkdir(exist_ok=True)
    figure, axes = plt.subplots(figsize=(8, 4.6), constrained_layout=True)
    for index, name in enumerate(sorted(courses, key=lambda name: -courses[name][-1])):
        rounds = np.arange(1, len(courses[name]) + 1) * EVERY
        axes.plot(rounds, courses[name], ("-", "--", ":")[index // 10 % 3], marker=".", label=name)
    if pooled:
        axes.axhline(pooled, color="0.3", lw=1)
        axes.annotate("pooled", (EVERY, pooled), va="bottom", color="0.3")
    if courses:
        low = np.quantile([min(course) for course in courses.values()], 0.2)
        axes.set_ylim(low - 0.004, max(max(course) for course in courses.values()) + 0.003)
    axes.set(xlabel="round", ylabel="AUC on held-out molecules")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def plot_attacks(losses: dict[str, dict[str, list[float]]], attacks: Sequence[str], path: Path) -> None:
    """Change of AUC under each attack, a bar per strategy; what falls below the axis says its number."""
    figure, axes = plt.subplots(figsize=(8, 3.8), constrained_layout=True)
    lowest = -0.03
    for index, (name, told) in enumerate(losses.items()):
        values = [float(np.mean(told[attack])) if told[attack] else np.nan for attack in attacks]
        places = np.arange(len(attacks)) + (index - (len(losses) - 1) / 2) * 0.84 / len(losses)
        axes.bar(places, values, 0.84 / len(losses), label=name)
        for place, value in zip(places, values, strict=True):
            if value < lowest:
                place_text = {"xytext": (0, 4), "textcoords": "offset points", "ha": "center", "va": "bottom"}
                axes.annotate(
                    f"{value:.2f}", (place, lowest), rotation=90, fontsize=9, color="w", **place_text
                )
    axes.axhline(0, color="0.3", lw=0.8)
    axes.axhline(-0.01, color="0.3", lw=1, ls="--")
    axes.set_xticks(range(len(attacks)), attacks)
    axes.set(ylabel="AUC, attacked − not attacked", ylim=(lowest, 0.006))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.savefig(path, dpi=130)
    plt.close(figure)
