"""Scores of every set become one table: what each set says, the mean, the worst, and all on one scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.sets import LabelledSet
from cryofed.learning.metrics import auc

FEWEST = 8  # good, or bad, classes that a set needs to be the worst one of a figure
NAN = float("nan")
SHARES = ("good_kept", "bad_rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a program says of one set, in class order.

    `score` `(n,)`: higher is better, NaN where it gives none. `kept` `(n,)`: its own decision at its default
    cut; None where it makes none.
    """

    score: NDArray[np.float64]
    kept: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of some classes: AUC, share of good kept, share of bad rejected; NaN where a set cannot tell."""

    n_good: int
    n_bad: int
    auc: float
    good_kept: float
    bad_rejected: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The figures of one set, and what limits them."""

    name: str
    of: Figures
    demonstration: bool

    @property
    def marks(self) -> str:
        """`d` a demonstration, `f` few good or few bad classes."""
        few = min(self.of.n_good, self.of.n_bad) < FEWEST
        return "".join(mark for mark, holds in (("d", self.demonstration), ("f", few)) if holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All rows, the worst AUC first, and all classes on one scale of scores."""

    rows: tuple[Row, ...]
    together: Figures

    def mean(self, figure: str, *, able: bool = False) -> float:
        """Mean over the sets that can tell; `able`: that could be the worst one too, as `worst` has it."""
        rows = [row for row in self.rows if not able or (not row.demonstration and _enough(row.of, figure))]
        values = [getattr(row.of, figure) for row in rows]
        known = [value for value in values if not np.isnan(value)]
        return float(np.mean(known)) if known else NAN

    def worst(self, figure: str) -> tuple[float, str]:
        """The lowest value and its set; demonstrations and sets of few classes are left out.

        AUC needs 8 good and 8 bad classes, the share of good kept 8 good ones, the other share 8 bad ones.
        """
        able = [
            (getattr(row.of, figure), row.name)
            for row in self.rows
            if not row.demonstration and _enough(row.of, figure)
        ]
        known = [one for one in able if not np.isnan(one[0])]
        return min(known) if known else (NAN, "")


def _enough(of: Figures, figure: str) -> bool:
    needed = {"auc": min(of.n_good, of.n_bad), "good_kept": of.n_good, "bad_rejected": of.n_bad}
    return needed[figure] >= FEWEST


def summarize(sets: Sequence[LabelledSet], answers: Mapping[str, Answer]) -> Summary:
    """The table of one program over the sets that it answered."""
    seen = [of for of in sets if of.name in answers]
    rows = [
        Row(name=of.name, of=_figures([of], [answers[of.name]]), demonstration=of.demonstration)
        for of in seen
    ]
    return Summary(
        rows=tuple(sorted(rows, key=_order)), together=_figures(seen, [answers[of.name] for of in seen])
    )


def mean_of(runs: Sequence[Summary]) -> Summary:
    """The same sets in several runs (seeds): each figure is the mean over the runs."""
    by_name = [{row.name: row for row in run.rows} for run in runs]
    rows = [
        Row(name=name, of=_mean([run[name].of for run in by_name]), demonstration=row.demonstration)
        for name, row in by_name[0].items()
    ]
    return Summary(rows=tuple(sorted(rows, key=_order)), together=_mean([run.together for run in runs]))


def markdown(summary: Summary) -> str:
    """The table in Markdown, the worst row first."""
    head = "| set | good | bad | AUC | good kept | bad rejected | |\n|---|---:|---:|---:|---:|---:|---|"
    lines = [_line(row.name, row.of, row.marks) for row in summary.rows]
    every, able = (
        [_number(summary.mean("auc", able=of)), *(_share(summary.mean(f, able=of)) for f in SHARES)]
        for of in (False, True)
    )
    worst = [_worst(summary, figure) for figure in ("auc", *SHARES)]
    lines.append(f"| **mean of the sets** | | | {' | '.join(every)} | |")
    lines.append(f"| **without d and f** | | | {' | '.join(able)} | |")
    lines.append(f"| **worst set** | | | {' | '.join(worst)} | |")
    lines.append(_line("**all classes on one scale**", summary.together, ""))
    lines += [
        "",
        f"f: fewer than {FEWEST} good or bad classes, never the worst AUC; a share needs {FEWEST} of "
        "its own kind. d: a demonstration, never the worst. A mean is over all that can tell; the second "
        "one leaves out those that cannot be the worst.",
    ]
    return "\n".join([head, *lines])


def side_by_side(programs: Mapping[str, Summary]) -> str:
    """Several programs over the same sets: a line for each."""
    head = (
        "| program | mean AUC | worst set | one scale | good kept, mean | least "
        "| bad rejected, mean | least |\n"
        "|---|---:|---:|---:|---:|---:|---:|---:|"
    )
    lines = []
    for name, summary in programs.items():
        cells = [_number(summary.mean("auc")), _worst(summary, "auc"), _number(summary.together.auc)]
        for figure in SHARES:
            cells += [_share(summary.mean(figure)), _worst(summary, figure)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([head, *lines])


def each_set(programs: Mapping[str, Summary], figure: str = "auc") -> str:
    """One figure of several programs by set, in the order of the last program, its worst first."""
    show = _number if figure == "auc" else _share
    values = {name: {row.name: getattr(row.of, figure) for row in of.rows} for name, of in programs.items()}
    rows = list(programs.values())[-1].rows
    head = f"| set | {' | '.join(programs)} |\n|---|{'---:|' * len(programs)}"
    lines = [
        f"| {row.name} | {' | '.join(show(values[name].get(row.name, NAN)) for name in programs)} |"
        for row in rows
    ]
    return "\n".join([head, *lines])


def _figures(sets: Sequence[LabelledSet], answers: Sequence[Answer]) -> Figures:
    def joined(part: Callable[[LabelledSet, Answer], NDArray[np.generic]]) -> NDArray[np.generic]:
        pairs = zip(sets, answers, strict=True)
        return np.concatenate([part(of, answer)[of.counted] for of, answer in pairs]) if sets else np.zeros(0)

    good = joined(lambda of, _: of.good).astype(bool)
    # A class without a score lies below every other: no program would keep it.
    score = joined(lambda _, answer: np.where(np.isnan(answer.score), -np.inf, answer.score)).astype(float)
    kept = None
    if all(answer.kept is not None for answer in answers):
        kept = joined(lambda _, answer: np.asarray(answer.kept)).astype(bool)
    return Figures(
        n_good=int(good.sum()),
        n_bad=int((~good).sum()),
        auc=auc(score, good),
        good_kept=float(kept[good].mean()) if kept is not None and good.any() else NAN,
        bad_rejected=float((~kept[~good]).mean()) if kept is not None and (~good).any() else NAN,
    )


def _mean(figures: Sequence[Figures]) -> Figures:
    mean = {name: float(np.mean([getattr(of, name) for of in figures])) for name in Figures.__slots__[2:]}
    return Figures(n_good=figures[0].n_good, n_bad=figures[0].n_bad, **mean)


def _order(row: Row) -> tuple[bool, float, float, str]:
    of = row.of
    return np.isnan(of.auc), np.nan_to_num(of.auc), np.nan_to_num(of.good_kept), row.name


def _line(name: str, of: Figures, marks: str) -> str:
    cells = f"{_number(of.auc)} | {_share(of.good_kept)} | {_share(of.bad_rejected)}"
    return f"| {name} | {of.n_good} | {of.n_bad} | {cells} | {marks} |"


def _worst(summary: Summary, figure: str) -> str:
    value, name = summary.worst(figure)
    show = _number if figure == "auc" else _share
    return f"{show(value)} {name}".strip()


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.0%}".replace("%", " %")
