"""The demo's report: what was learnt, the figures behind it, and an unseen job selected, on one page."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from html import escape
from itertools import pairwise
from pathlib import Path
from string import Template

from cryofed import __version__
from cryofed.demo.story import Story
from cryofed.disk.whole import write_whole
from cryofed.jobs.job import ClassJob
from cryofed.jobs.opening import open_job
from cryofed.scoring.scorer import score_job
from cryofed.selection.look import look_css
from cryofed.selection.making import Making, model_used
from cryofed.selection.pictures import data_uris
from cryofed.selection.policy import Selection, decide
from cryofed.selection.writer import write_selection

PAGE = Path(__file__).with_name("report.template.html")


def write_report(out: Path, story: Story) -> None:
    """Select one unseen job with the federated model, and write `out/report.html`."""
    folder = story.world.unseen_jobs[0]
    job = open_job(folder)
    selection = decide(job, score_job(job, story.model))
    model = replace(model_used(story.model), name="the federated model")
    write_selection(job, selection, out / "selection", making=Making(model=model))
    page = Template(PAGE.read_text(encoding="utf-8")).substitute(
        look=look_css(),
        sentence=escape(story.sentence),
        tiles=_tiles(story),
        models=_models(story),
        curve=_curve(story),
        sites=_sites(story),
        gate=escape(_gate(story)),
        job=escape(f"{folder.parents[1].name}, {folder.name}"),
        truth=_agreement(folder, selection, job),
        gallery=_gallery(folder, job, selection),
        engine=escape(story.plan.engine),
        seconds=f"{story.seconds:.0f}",
        version=escape(__version__),
    )
    write_whole(out / "report.html", page.encode())


def print_story(story: Story, out: Path) -> None:
    """The same in the terminal, short."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\n{story.sentence}\n")
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("model")
    table.add_column("AUC on unseen molecules", justify="right")
    for name, value in _ranked(story):
        table.add_row(name, f"{value:.3f}")
    console.print(table)
    most = max(story.bytes_sent.values())
    console.print(f"\nEach site sent {most / 1e6:.1f} MB of model parameters and nothing else.")
    console.print(f"{_gate(story)}\n\nOpen {out / 'report.html'}")


def story_facts(story: Story) -> dict[str, object]:
    """The same for programs."""
    return {
        "alone": dict(story.local),
        "pooled": story.pooled,
        "federated": story.federated,
        "curve": list(story.curve),
        "bytes_sent": dict(story.bytes_sent),
        "gate": story.decision.record(),
        "model": story.model,
        "seconds": story.seconds,
    }


def _ranked(story: Story) -> list[tuple[str, float]]:
    rows = [(f"{name} alone", value) for name, value in story.local.items()]
    rows += [("pooled: all images in one place", story.pooled), ("federated", story.federated)]
    return sorted(rows, key=lambda row: row[1])


def _tiles(story: Story) -> str:
    n, good = len(story.world.unseen), int(story.world.unseen.good.sum())
    tiles = [
        (f"{story.federated:.3f}", "AUC of the common model", f"{n} unseen classes, {good} of them good"),
        (f"{max(story.local.values()):.3f}", "best site alone", f"lowest {min(story.local.values()):.3f}"),
        (f"{story.pooled:.3f}", "all images in one place", "what federation must match"),
        (f"{max(story.bytes_sent.values()) / 1e6:.1f} MB", "left each site", "parameters only, no image"),
    ]
    return "".join(
        f'<div class="tile"><strong>{value}</strong><span>{label}</span><br><small>{more}</small></div>'
        for value, label, more in tiles
    )


def _models(story: Story) -> str:
    lowest = min(0.5, *(value for _, value in _ranked(story)))
    rows = []
    for name, value in reversed(_ranked(story)):
        width = 100 * (value - lowest) / (1 - lowest)
        kind = "fed" if name == "federated" else "pool" if name.startswith("pooled") else ""
        rows.append(
            f'<tr class="{kind}"><th>{escape(name)}</th><td class="wide"><div class="bar">'
            f'<i style="width:{width:.1f}%"></i></div></td><td class="n">{value:.3f}</td></tr>'
        )
    return "".join(rows)


def _sites(story: Story) -> str:
    return "".join(
        f"<tr><th>{escape(name)}</th><td class='n'>{story.world.examples[name]:,}</td>"
        f"<td class='n'>{story.bytes_of_images[name] / 1e6:.1f} MB</td>"
        f"<td class='n'>{story.bytes_sent[name] / 1e6:.1f} MB</td></tr>"
        for name in sorted(story.local)
    )


def _curve(story: Story) -> str:
    """AUC round by round, beside what is reached alone and pooled, as an SVG picture.

    The untrained start is told in words: drawn, it would press all that matters into the topmost tenth.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    best, lowest = max(story.local.values()), min(story.local.values())
    levels = {"pooled": (story.pooled, "--"), "best alone": (best, ":"), "lowest alone": (lowest, ":")}
    reached = story.curve[1:]
    drawn_values = [*reached, story.pooled, best, lowest]
    span = max(max(drawn_values) - min(drawn_values), 0.02)
    with mpl.rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11}):
        figure = Figure(figsize=(5.2, 4.0), layout="constrained")
        axes = figure.subplots()
        grey, green = "#7c8a99", "#1c9d72"
        last = len(reached)
        for value, style in levels.values():
            axes.plot((1, last + 0.15), (value, value), color=grey, linewidth=1.4, linestyle=style)
        axes.plot(range(1, last + 1), reached, color=green, linewidth=2.5, marker="o", markersize=5)
        places = _apart([value for value, _ in levels.values()], 0.075 * span)
        for (name, (value, _)), place in zip(levels.items(), places, strict=True):
            axes.text(last + 0.2, place, f"{name} {value:.3f}", color=grey, va="center", clip_on=False)
        axes.set_xlim(0.8, last + 0.15)
        axes.set_ylim(min(drawn_values) - 0.08 * span, max(drawn_values) + 0.08 * span)
        axes.set_xticks(range(1, last + 1, max(1, last // 10)))
        axes.set_xlabel(f"round (untrained: {story.curve[0]:.3f})", color=grey)
        axes.set_ylabel("AUC, unseen molecules", color=grey)
        axes.tick_params(colors=grey)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(grey)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    drawn = text.getvalue()
    return drawn[drawn.index("<svg") :]


def _apart(values: list[float], gap: float) -> list[float]:
    """Places of labels: the values, moved up where neighbours would lie less than `gap` apart."""
    places = list(values)
    order = sorted(range(len(values)), key=values.__getitem__)
    for below, above in pairwise(order):
        places[above] = max(places[above], places[below] + gap)
    return places


def _gate(story: Story) -> str:
    """What the gate decided, and why."""
    decision = story.decision
    if decision.promoted and decision.pooled_current is not None and decision.pooled_candidate is not None:
        return (
            f"Each site tried the new model on its own held-out project before it became the release: "
            f"{decision.metric.upper()} went from {decision.pooled_current:.3f} (untrained) to "
            f"{decision.pooled_candidate:.3f}, and no site lost."
        )
    return f"The gate kept the old model: {'; '.join(decision.stopped_by)}."


def _truth(folder: Path) -> dict[int, dict[str, str]]:
    with (folder / "truth.tsv").open(newline="", encoding="utf-8") as file:
        return {int(row["class"]): row for row in csv.DictReader(file, delimiter="\t")}


def _agreement(folder: Path, selection: Selection, job: ClassJob) -> str:
    """How the selection stands against the truth that only a simulation knows."""
    truth = _truth(folder)
    numbers = [int(number) for number in job.classes.number]
    clear = [i for i, number in enumerate(numbers) if truth[number]["borderline"] != "1"]
    good = [i for i in clear if truth[numbers[i]]["good"] == "1"]
    bad = [i for i in clear if truth[numbers[i]]["good"] != "1"]
    kept = sum(bool(selection.kept[i]) for i in good)
    rejected = sum(not selection.kept[i] for i in bad)
    return (
        f"It kept {kept} of {len(good)} classes that are truly good and rejected {rejected} of {len(bad)} "
        f"that are not ({len(numbers) - len(clear)} borderline ones left out of this count)."
    )


def _gallery(folder: Path, job: ClassJob, selection: Selection) -> str:
    pictures, truth = data_uris(job.averages), _truth(folder)
    order = sorted(range(len(selection)), key=lambda i: -selection.score[i] if selection.scored[i] else 2)
    cards = []
    for i in order:
        number = int(job.classes.number[i])
        row = truth[number]
        really = "good" if row["good"] == "1" else "borderline" if row["borderline"] == "1" else "bad"
        junk = f": {escape(row['dominant_junk'])}" if row["dominant_junk"] else ""
        score = f"{selection.score[i]:.2f}" if selection.scored[i] else "–"
        cards.append(
            f'<figure class="{"k" if selection.kept[i] else "r"}"><div class="pic"><img src="{pictures[i]}" '
            f'alt="class {number}"></div><figcaption><b>{number}</b><span class="score">{score}</span>'
            f"<em>{'kept' if selection.kept[i] else 'rejected'}; in truth {really}"
            f"{junk}</em></figcaption></figure>"
        )
    return "".join(cards)
