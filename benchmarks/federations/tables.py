"""Tables of docs/strategies.md from the cells that the cache holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from benchmarks.federations.attacks import ATTACKS
from benchmarks.federations.cells import NAMES, ROOT, Cell, arrays_of
from benchmarks.federations.plots import IMAGES, LINE, plot_attacks, plot_courses
from benchmarks.federations.worlds import OTHER_SPLITS, SITES, SPLITS
from benchmarks.measuring.page import write_between
from cryofed.federation.strategies.registry import STRATEGIES
from cryofed.learning.personalize import gain
from cryofed.library.labelled import Labelled

PAGE = ROOT / "docs" / "strategies.md"
FINISHES = (("", "common model"), ("half", "half its own, always"), ("site", "as the site finishes it"))
CODECS: dict[str, dict[str, Any]] = {
    "float16": {"codec": "float16"},
    "int8, blocks of 256": {"codec": "int8"},
    "topk, the largest 30 %": {"codec": "topk", "keep": 0.3},
    "topk, the largest 10 %": {"codec": "topk"},
}

Found = dict[Cell, dict[str, Any]]


def write_page(cells: list[Cell]) -> None:
    """Put every table between its marks in the page; what was not run yet stays out."""
    found: Found = {c: json.loads(c.path.read_text()) for c in cells if c.path.exists()}
    plot_courses(_courses(found), finals(found, strategy="pooled").get(1), IMAGES / "strategies-course.png")
    plot_attacks(losses(found), ATTACKS, IMAGES / "strategies-attacks.png")
    parts: dict[str, Callable[[Found], str]] = {
        "default": default_table,
        "own": own_table,
        "attacks": attack_table,
        "liars": liar_table,
        "splits": split_table,
        "split-attacks": split_attack_table,
        "codecs": codec_table,
        "run": lambda found: run_line(found, cells),
    }
    write_between(PAGE, {name: make(found) for name, make in parts.items()})


def chosen(found: Found, **wanted: Any) -> list[tuple[Cell, dict[str, Any]]]:
    """Cells with these fields, and defaults in all others but the seed."""
    return [(cell, told) for cell, told in found.items() if cell == Cell(**{"seed": cell.seed, **wanted})]


def finals(found: Found, **wanted: Any) -> dict[int, float]:
    """Final AUC on the common test by seed."""
    return {cell.seed: told["final"] for cell, told in chosen(found, **wanted) if "final" in told}


def best_alone(found: Found, split: str = "mixed") -> dict[int, float]:
    """AUC on the common test of the best single site by seed."""
    return {cell.seed: max(told["each"]) for cell, told in chosen(found, strategy="alone", split=split)}


def stops(found: Found, **wanted: Any) -> dict[int, str]:
    """Why the campaign ended early, by seed, where it did."""
    return {cell.seed: told["stops"] for cell, told in chosen(found, **wanted) if "stops" in told}


def shown(values: list[float], sign: str = "", stopped: int = 0) -> str:
    """Mean, the spread over seeds where there are several, and how many seeds; and how many stopped."""
    texts = []
    if values:
        spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
        texts.append(f"{np.mean(values):{sign}.4f}{spread} ({len(values)})")
    if stopped:
        texts.append(f"stops ({stopped})")
    return ", ".join(texts) or "not run"


def gaps(own: dict[int, float], other: dict[int, float]) -> list[float]:
    """Differences over the seeds that both have."""
    return [own[seed] - other[seed] for seed in sorted(set(own) & set(other))]


def default_table(found: Found) -> str:
    """All strategies where sites differ in everything."""
    pooled, best = finals(found, strategy="pooled"), best_alone(found)
    each = [float(np.mean(told["each"])) for _, told in chosen(found, strategy="alone")]
    lines = [
        "| strategy | AUC | against pooled | against best single site "
        "| to pooled − 0.01: rounds | kB per site | CPU s per site |",
        "|---|---|---|---|---|---|---|",
        f"| *pooled data* | {shown(list(pooled.values()))} | | | | | |",
        f"| *best single site* | {shown(list(best.values()))} | {shown(gaps(best, pooled), '+')} | | | | |",
        f"| *mean single site* | {shown(each)} | | | | | |",
    ]
    rows = []
    for name in STRATEGIES:
        own, ended = finals(found, strategy=name), stops(found, strategy=name)
        if own or ended:
            text = (
                f"| {name} | {shown(list(own.values()), '', len(ended))} | {shown(gaps(own, pooled), '+')} "
            )
            text += f"| {shown(gaps(own, best), '+')} | {_cost(found, name, pooled)} |"
            rows.append((-float(np.mean(list(own.values()) or [0])), text))
    return "\n".join(lines + [row for _, row in sorted(rows)])


def _cost(found: Found, name: str, pooled: dict[int, float]) -> str:
    """What seed 1 took to the target; its course holds every second round."""
    told = next((told for cell, told in chosen(found, strategy=name) if cell.seed == 1), None)
    if told is None or "stops" in told or 1 not in pooled or name == "personal":
        return "– | – | –"
    reached = next((i for i, value in enumerate(told["course"], 1) if value >= pooled[1] - 0.01), None)
    if reached is None:
        return "not in 10 | – | –"
    rounds = 2 * reached
    kilobytes = rounds * (told["sent_bytes"] + told["received_bytes"]) / 1000
    seconds = told["cpu_seconds"] / len(NAMES) * reached / len(told["course"])
    return f"{rounds} | {kilobytes:.0f} | {seconds:.1f}"


def own_table(found: Found) -> str:
    """What each site uses, on its own held-out jobs, against the model that it trained alone."""
    lines = ["| model that the site uses | " + " | ".join(SPLITS) + " |", "|---" * (len(SPLITS) + 1) + "|"]
    rows = [(f"{name}, {words}", name, kind) for name in ("fedavg", "robust") for kind, words in FINISHES]
    rows += [("personal", "personal", ""), ("pooled data", "pooled", "")]
    for label, name, kind in rows:
        texts = [_worst(found, strategy=name, finish=kind, split=split) for split in SPLITS]
        if any(texts):
            lines.append(f"| {label} | " + " | ".join(text or "not run" for text in texts) + " |")
    return "\n".join(lines)


def _worst(found: Found, **wanted: Any) -> str:
    """The site that gains least, mean over seeds ± standard error; and how many of all are clearly below."""
    told = [
        gains(cell)
        for cell, _ in chosen(found, **wanted)
        if replace(cell, strategy="alone", finish="") in found
    ]
    if not told:
        return ""
    values, errors = np.array(told)[..., 0], np.array(told)[..., 1]  # (seeds, sites)
    below = int((values < -2 * errors).sum())
    worst = int(np.argmin(values.mean(axis=0)))
    error = float(np.sqrt(np.square(errors[:, worst]).sum()) / len(told))
    least = f"{values[:, worst].mean():+.4f} ± {error:.4f}"
    return f"{least}; {values.mean():+.4f}; {below} of {values.size}"


@cache
def gains(cell: Cell) -> list[tuple[float, float]]:
    """Per site: AUC on its held-out jobs minus that of its model alone, and the standard error over jobs."""
    ours, alone = arrays_of(cell), arrays_of(replace(cell, strategy="alone", finish=""))
    held_out = _held_out(replace(cell, strategy="fedavg", finish=""))
    return [
        gain(ours[f"held_out{number}"], alone[f"held_out{number}"], part)
        for number, part in enumerate(held_out, 1)
    ]


@cache
def _held_out(cell: Cell) -> tuple[Labelled, ...]:
    return cell.world.held_out


def attack_table(found: Found) -> str:
    """AUC under attack minus the same rule's without, all five sites honest; same seeds."""
    head = "| strategy | no attack | hostile site stays away | " + " | ".join(ATTACKS)
    lines = [head + " | fooled by the backdoor |", "|---" * (len(ATTACKS) + 4) + "|"]
    for name in STRATEGIES:
        told = _changes(found, strategy=name)
        if any(text != "not run" for text in told):
            clean = shown(list(finals(found, strategy=name).values()))
            lines.append(f"| {name} | {clean} | {' | '.join(told)} | {_fooled(found, name)} |")
    return "\n".join([*lines, *_reasons(found)])


def split_attack_table(found: Found) -> str:
    """The same where sites differ in one way or in none."""
    lines = ["| sites differ in | strategy | hostile site stays away | " + " | ".join(ATTACKS) + " |"]
    lines.append("|---" * (len(ATTACKS) + 3) + "|")
    for split in OTHER_SPLITS:
        for name in STRATEGIES:
            told = _changes(found, strategy=name, split=split)
            if any(text != "not run" for text in told):
                lines.append(f"| {'nothing' if split == 'iid' else split} | {name} | {' | '.join(told)} |")
    return "\n".join(lines)


def liar_table(found: Found) -> str:
    """The robust default, when another of the five sites is the hostile one."""
    lines = ["| hostile is | " + " | ".join(ATTACKS) + " |", "|---" * (len(ATTACKS) + 1) + "|"]
    clean, every = finals(found, strategy="robust"), []
    for number in range(1, SITES + 1):
        under = [finals(found, strategy="robust", attack=attack, liar=number) for attack in ATTACKS]
        changes = [gaps(one, clean) for one in under]
        lines.append(f"| site {number} | {' | '.join(shown(one, '+') for one in changes)} |")
        every += [
            (change, f"{attack}, site {number}")
            for one, attack in zip(changes, ATTACKS, strict=True)
            for change in one
        ]
    if every:
        beyond = sorted(one for one in every if one[0] < -LINE)
        told = "; ".join(f"{change:+.4f} ({way})" for change, way in beyond) or "none"
        mean = np.mean([change for change, _ in every])
        lines += ["", f"Mean of these {len(every)} runs {mean:+.4f}; beyond −{LINE}: {told}."]
    return "\n".join(lines)


def _changes(found: Found, **wanted: Any) -> list[str]:
    """Change of AUC where the hostile site stays away, then under each attack."""
    clean = finals(found, **wanted)
    ways: list[dict[str, Any]] = [{"absent": 1}, *({"attack": attack} for attack in ATTACKS)]
    return [
        shown(gaps(finals(found, **wanted, **way), clean), "+", len(stops(found, **wanted, **way)))
        for way in ways
    ]


def _fooled(found: Found, name: str) -> str:
    """Share of bad averages that the mark lets pass, with and without attack."""
    under, without = (
        [told["fooled"] for _, told in chosen(found, strategy=name, attack=attack) if "fooled" in told]
        for attack in ("backdoor", "none")
    )
    return f"{100 * np.mean(under):.1f} % (without attack {100 * np.mean(without):.1f} %)" if under else ""


def _reasons(found: Found) -> list[str]:
    """What the campaigns that stopped said, each reason once."""
    told = {
        (cell.strategy, one["stops"].removeprefix(f"{cell.strategy}: "))
        for cell, one in found.items()
        if "stops" in one
    }
    head = ["", "*Stops*: the campaign ended, with this line:", ""]
    return [*head, *(f"- `{name}`: {reason}" for name, reason in sorted(told))] if told else []


def losses(found: Found) -> dict[str, dict[str, float | None]]:
    """Mean change of AUC by strategy and attack; None where the campaign stopped, absent where not run."""
    result: dict[str, dict[str, float | None]] = {}
    for name in STRATEGIES:
        clean, told = finals(found, strategy=name), {}
        for attack in ATTACKS:
            changes = gaps(finals(found, strategy=name, attack=attack), clean)
            if changes:
                told[attack] = float(np.mean(changes))
            elif stops(found, strategy=name, attack=attack):
                told[attack] = None
        if told:
            result[name] = told
    return result


def _courses(found: Found) -> dict[str, list[float]]:
    return {
        name: told["course"]
        for name in STRATEGIES
        if name != "personal"  # its common model alone is nobody's
        for cell, told in chosen(found, strategy=name)
        if cell.seed == 1 and "course" in told
    }


def split_table(found: Found) -> str:
    """Final AUC by how the sites differ, and what sets a strategy apart from FedAvg over all worlds."""
    lines = ["| strategy | " + " | ".join(SPLITS) + " | against `fedavg`, all worlds |"]
    lines.append("|---" * (len(SPLITS) + 2) + "|")
    base = [finals(found, strategy="fedavg", split=split) for split in SPLITS]
    rows = [("*pooled data*", [finals(found, strategy="pooled", split=split) for split in SPLITS])]
    rows += [("*best single site*", [best_alone(found, split) for split in SPLITS])]
    rows += [(name, [finals(found, strategy=name, split=split) for split in SPLITS]) for name in STRATEGIES]
    for label, values in rows:
        if sum(map(bool, values)) > 1:
            apart = [change for one, other in zip(values, base, strict=True) for change in gaps(one, other)]
            told = [shown(list(one.values())) for one in values]
            lines.append(f"| {label} | {' | '.join(told)} | {'' if label == 'fedavg' else _apart(apart)} |")
    return "\n".join(lines)


def _apart(changes: list[float]) -> str:
    """Mean change over worlds (a setting and a seed), its standard error, and in how many it is above."""
    if len(changes) < 2:
        return ""
    error = np.std(changes, ddof=1) / np.sqrt(len(changes))
    above = sum(change > 0 for change in changes)
    return f"{np.mean(changes):+.4f} ± {error:.4f}, above in {above} of {len(changes)}"


def codec_table(found: Found) -> str:
    """FedAvg with each codec, and with privacy."""
    clean = finals(found, strategy="fedavg")
    lines = ["| what leaves the site | bytes, of float32's | AUC against plain |", "|---|---|---|"]
    raw = next((told["sent_bytes"] for _, told in chosen(found, strategy="fedavg")), None)
    for words, wanted in CODECS.items():
        cells = chosen(found, **wanted)
        if cells and raw:
            share = cells[0][1]["sent_bytes"] / raw
            lines.append(f"| {words} | {share:.3f} | {shown(gaps(finals(found, **wanted), clean), '+')} |")
    for jobs, size in ((12, "about 400"), (48, "about 1,600")):
        private, plain = finals(found, epsilon=8.0, jobs=jobs), finals(found, jobs=jobs)
        if private:
            words = f"DP-SGD, ε = 8 per average, {size} averages a site"
            lines.append(f"| {words} | 1 | {shown(gaps(private, plain), '+')} |")
    return "\n".join(lines)


def run_line(found: Found, cells: list[Cell]) -> str:
    """How much of the grid stands behind the page."""
    if len(found) == len(cells):
        return f"All {len(cells)} runs of the grid were made for this page."
    return (
        f"Of the {len(cells)} runs of the whole grid, {len(found)} were made for this page, the most telling "
        "first; what stands as *not run* waits for processor time."
    )
