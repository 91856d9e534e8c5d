"""The scores of a job as one picture: a dot for every scored class, and the cut."""

from __future__ import annotations

from cryofed.selection.table import ClassRow


def strip(rows: list[ClassRow], cut: float) -> str:
    """Every scored class as a dot along its score, as SVG; its area tells the particles.

    It is as wide as the page. Only places are stretched: a dot is the round end of a line of fixed width.
    """
    scored = [row for row in rows if row.score is not None]
    most = max((row.particles or 1 for row in scored), default=1)
    columns: dict[int, list[ClassRow]] = {}
    for row in sorted(scored, key=lambda row: -(row.particles or 0)):
        columns.setdefault(round((row.score or 0) * 80), []).append(row)
    step = min(9.0, 66 / max(map(len, columns.values()), default=1))
    dots = []
    for column in columns.values():
        for level, row in enumerate(column):
            y = 40 + (-1) ** level * ((level + 1) // 2) * step
            radius = 2.5 + 5 * ((row.particles or most) / most) ** 0.5
            title = f"<title>class {row.class_number}: {row.score:.2f}</title>"
            dots.append(
                f'<path class="dot {"k" if row.kept else "r"}" d="M{_x(row.score or 0):.1f} {y:.1f}h0"'
                f' stroke-width="{2 * radius:.1f}">{title}</path>'
            )
    free = [t for t in (0, 0.25, 0.5, 0.75, 1) if abs(t - cut) > 0.15]  # the cut's name needs the place
    ticks = "".join(f'<span style="left:{_x(t) / 10:.1f}%">{t:g}</span>' for t in free)
    above = sum((row.score or 0) >= cut for row in scored)
    caption = f"{above} of {len(scored)} scored classes lie at or above the cut {cut:.2f}"
    return (
        f'<svg class="scores" viewBox="0 0 1000 84" preserveAspectRatio="none" role="img"'
        f' aria-label="{caption}">'
        f'<path class="axis" d="M{_x(0):.0f} 82H{_x(1):.0f}"/><path class="cut" d="M{_x(cut):.1f} 2V82"/>'
        f'{"".join(dots)}</svg><div class="ticks" aria-hidden="true">{ticks}'
        f'<span class="cutname" style="left:{min(max(_x(cut) / 10, 8), 92):.1f}%">cut {cut:.2f}</span></div>'
    )


def _x(score: float) -> float:
    return 20 + 960 * score
