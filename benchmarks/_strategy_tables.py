"""Tables and plots of docs/strategies.md from the cells that the cache holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._attacks import ATTACKS
from benchmarks._worlds import SPLITS
from cryofed.federation.strategies.registry import STRATEGIES

if TYPE_CHECKING:
    from benchmarks._cells import Cell

PAGE = Path(__file__).parent.parent / "docs" / "strategies.md"
IMAGES = PAGE.parent / "images"
PLOTS = {
    "default": ("AUC by round", "strategies-course.png"),
    "attacks": ("Loss under attack", "strategies-attacks.png"),
}
Found = dict["Cell", dict[str, Any]]


def write_page(cells: list[Cell]) -> None:
    """Put every table between its marks in the page; what was not run yet stays out."""
    found: Found = {c: json.loads(c.path.read_text()) for c in cells if c.path.exists()}
    plots(found)
    parts = {"default": default_table, "attacks": attack_table, "splits": split_table, "codecs": codec_table}
    text = PAGE.read_text(encoding="utf-8")
    for name, make in parts.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        first, last = text.index(begin) + len(begin), text.index(end)
        image = PLOTS.get(name)
        shown_too = f"\n\n![{image[0]}](images/{image[1]})" if image else ""
        text = f"{text[:first]}\n{make(found)}{shown_too}\n{text[last:]}"
    PAGE.write_text(text, encoding="utf-8")


def chosen(found: Found, **wanted: object) -> list[tuple[Cell, dict[str, Any]]]:
    """Cells with these fields, and defaults in all others but the seed."""
    kind = type(next(iter(found)))
    result = []
    for cell, told in found.items():
        if cell == kind(**{"seed": cell.seed, **wanted}):
            result.append((cell, told))
    return result


def finals(found: Found, **wanted: object) -> dict[int, float]:
    """Final AUC by seed."""
    return {cell.seed: told["final"] for cell, told in chosen(found, **wanted) if "final" in told}


def shown(values: list[float], sign: str = "") -> str:
    """Mean, and the spread over seeds where there are several."""
    if not values:
        return ""
    text = f"{np.mean(values):{sign}.4f}"
    return f"{text} ± {np.std(values, ddof=1):.4f} ({len(values)})" if len(values) > 1 else text


def default_table(found: Found) -> str:
    """All strategies where sites differ in everything."""
    pooled, alone = finals(found, strategy="pooled"), dict(chosen(found, strategy="alone"))
    each = {cell.seed: told for cell, told in alone.items()}
    lines = [
        "| strategy | AUC | against pooled | against best single site "
        "| worst site, own held-out, against its own model | rounds to pooled − 0.01 | kB per site, round |",
        "|---|---|---|---|---|---|---|",
        f"| *pooled data* | {shown(list(pooled.values()))} | | | {_worst(found, 'pooled', each)} | | |",
    ]
    best = {seed: max(told["each"]) for seed, told in each.items()}
    middle = [float(np.mean(told["each"])) for told in each.values()]
    lines.append(f"| *best single site* | {shown(list(best.values()))} | {_gap(best, pooled)} | | | | |")
    lines.append(f"| *mean single site* | {shown(middle)} | | | | | |")
    rows = []
    for name in STRATEGIES:
        own = finals(found, strategy=name)
        if not own:
            continue
        cell, told = next(pair for pair in chosen(found, strategy=name))
        goal = pooled.get(cell.seed, 1.0) - 0.01
        # The course holds every second round.
        reached = next((2 * (i + 1) for i, auc in enumerate(told["auc"]) if auc >= goal), None)
        rows.append(
            (
                -float(np.mean(list(own.values()))),
                f"| {name} | {shown(list(own.values()))} | {_gap(own, pooled)} | {_gap(own, best)} "
                f"| {_worst(found, name, each)} | {reached or 'not in ' + str(cell.rounds)} "
                f"| {(told['sent_bytes'] + told['received_bytes']) / 1000:.0f} |",
            )
        )
    return "\n".join(lines + [row for _, row in sorted(rows)])


def _gap(own: dict[int, float], other: dict[int, float]) -> str:
    """Mean difference over the seeds that both have."""
    both = sorted(set(own) & set(other))
    return shown([own[seed] - other[seed] for seed in both], "+")


def _worst(found: Found, name: str, alone: dict[int, dict[str, Any]]) -> str:
    gains = []
    for cell, told in chosen(found, strategy=name):
        if cell.seed in alone:
            pairs = zip(told["own_held_out"], alone[cell.seed]["own_held_out"], strict=True)
            gains.append(min(a - b for a, b in pairs))
    return shown(gains, "+")


def attack_table(found: Found) -> str:
    """AUC under attack minus the same rule's without, all five sites honest; same seeds."""
    lines = [
        "| strategy | no attack | hostile site stays away | "
        + " | ".join(ATTACKS)
        + " | fooled by the backdoor |",
        "|---" * (len(ATTACKS) + 4) + "|",
    ]
    for name in STRATEGIES:
        clean = finals(found, strategy=name)
        under = {attack: finals(found, strategy=name, attack=attack) for attack in ATTACKS}
        if not any(under.values()):
            continue
        absent = _gap(finals(found, strategy=name, absent=1), clean)
        told = " | ".join(_gap(under[attack], clean) for attack in ATTACKS)
        fooled = [t["fooled"] for _, t in chosen(found, strategy=name, attack="backdoor")]
        share = f"{100 * np.mean(fooled):.1f} %" if fooled else ""
        lines.append(f"| {name} | {shown(list(clean.values()))} | {absent} | {told} | {share} |")
    return "\n".join(lines)


def split_table(found: Found) -> str:
    """Final AUC by how the sites differ."""
    lines = ["| strategy | " + " | ".join(SPLITS) + " |", "|---" * (len(SPLITS) + 1) + "|"]
    for name in ("pooled", *STRATEGIES):
        row = [shown(list(finals(found, strategy=name, split=split).values())) for split in SPLITS]
        if sum(map(bool, row)) > 1:
            lines.append(f"| {name} | " + " | ".join(row) + " |")
    best = [
        shown([max(told["each"]) for _, told in chosen(found, strategy="alone", split=split)])
        for split in SPLITS
    ]
    lines.append("| *best single site* | " + " | ".join(best) + " |")
    return "\n".join(lines)


def codec_table(found: Found) -> str:
    """FedAvg with each codec."""
    clean = finals(found, strategy="fedavg")
    lines = ["| codec | bytes sent of float32's | AUC against float32 |", "|---|---|---|"]
    raw = next((told["sent_bytes"] for _, told in chosen(found, strategy="fedavg")), None)
    for codec in ("float16", "int8", "topk"):
        cells = chosen(found, codec=codec)
        if cells and raw:
            share = cells[0][1]["sent_bytes"] / raw
            lines.append(f"| {codec} | {share:.3f} | {_gap(finals(found, codec=codec), clean)} |")
    return "\n".join(lines)


def plots(found: Found) -> None:
    """Courses of the default setting, and the loss under each attack."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    IMAGES.mkdir(exist_ok=True)
    courses = {
        name: cells[0][1]["auc"] for name in STRATEGIES if (cells := chosen(found, strategy=name, seed=1))
    }
    pooled = finals(found, strategy="pooled").get(1)
    figure, axes = plt.subplots(figsize=(8, 4.6), constrained_layout=True)
    order = sorted(courses, key=lambda name: -courses[name][-1])
    for index, name in enumerate(order):
        style = ("-", "--", ":")[index // 10 % 3]
        axes.plot(range(2, 2 * len(courses[name]) + 1, 2), courses[name], style, marker=".", label=name)
    if pooled:
        axes.axhline(pooled, color="0.3", lw=1)
        axes.annotate("pooled", (2, pooled), va="bottom", color="0.3")
    low = np.quantile([min(c) for c in courses.values()], 0.15) if courses else 0.5
    axes.set(xlabel="round", ylabel="AUC on held-out molecules", ylim=(low - 0.01, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(IMAGES / "strategies-course.png", dpi=130)
    plt.close(figure)
    rules = [n for n in STRATEGIES if any(finals(found, strategy=n, attack=a) for a in ATTACKS)]
    figure, axes = plt.subplots(figsize=(8, 3.6), constrained_layout=True)
    for index, name in enumerate(rules):
        clean = finals(found, strategy=name)
        values = []
        for attack in ATTACKS:
            under = finals(found, strategy=name, attack=attack)
            both = set(under) & set(clean)
            values.append(np.mean([under[s] - clean[s] for s in both]) if both else np.nan)
        places = np.arange(len(ATTACKS)) + (index - (len(rules) - 1) / 2) * 0.8 / len(rules)
        axes.bar(places, values, 0.8 / len(rules), label=name)
    axes.axhline(-0.01, color="0.3", lw=1, ls="--")
    axes.set_xticks(range(len(ATTACKS)), ATTACKS)
    axes.set(ylabel="AUC, attacked − not attacked")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.savefig(IMAGES / "strategies-attacks.png", dpi=130)
    plt.close(figure)
