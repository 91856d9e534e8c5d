"""The sources as a table of docs/benchmark.md."""

from __future__ import annotations

from pathlib import Path

from benchmarks.real.sources import GREY, LABELLED_BY, Source, labels, sources

PAGE = Path(__file__).parents[2] / "docs" / "benchmark.md"


def sources_table() -> str:
    """Every set with its molecule, source, labels and licence, in Markdown."""
    head = (
        "| set | molecule | sample, program | source | labels | good / bad / not counted | grey scale "
        "| trained on | licence of the source |\n|---|---|---|---|---|---:|---|---|---|"
    )
    return "\n".join([head, *(_line(source) for source in sources())])


def _line(source: Source) -> str:
    of = labels()[source.name]
    good, bad = int((of.good & of.counted).sum()), int((~of.good & of.counted).sum())
    cells = (
        source.name, source.molecule, f"{source.sample}; {source.program}", _where(source),
        LABELLED_BY[source.labelled_by],
        f"{good} / {bad} / {len(of) - good - bad}", GREY[source.grey],
        "yes" if source.training else "no", source.licence,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _where(source: Source) -> str:
    if source.picture is None:
        return f"{source.repository}: not rebuilt, {source.not_rebuilt}"
    name = source.picture.path.rsplit("/", 1)[-1]
    where = f"https://github.com/{source.repository}/blob/{source.picture.commit}/{source.picture.path}"
    return f"[{source.repository}: {name}]({where.replace(' ', '%20')})"
