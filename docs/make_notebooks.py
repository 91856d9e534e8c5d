"""`python docs/make_notebooks.py`: run docs/notebooks/*.py and write each as a notebook, with what it showed.

A notebook's source is a plain Python file, whose cells begin with `# %%` (Jupytext's percent format): it is
formatted, reviewed and tested as all code is. Jupyter is not needed to make one; it is to work in one.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).with_name("notebooks")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: Markdown or code."""

    markdown: bool
    source: str


def cells(path: Path) -> list[Cell]:
    """The cells of a source file."""
    made: list[Cell] = []
    for part in ("\n" + path.read_text(encoding="utf-8")).split("\n# %%")[1:]:
        head, _, body = part.partition("\n")
        markdown = head.strip() == "[markdown]"
        lines = body.strip().splitlines()
        if markdown:
            lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
        made.append(Cell(markdown, "\n".join(lines)))
    return made


def run(path: Path) -> list[tuple[Cell, list[dict[str, Any]]]]:
    """Every cell with what it showed: printed text and pictures."""
    names: dict[str, Any] = {"__name__": "__main__"}
    return [(cell, [] if cell.markdown else _outputs(cell.source, names)) for cell in cells(path)]


def _outputs(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(ast.parse(source), "cell", "exec"), names)
    shown: list[dict[str, Any]] = []
    if printed.getvalue():
        shown.append({"name": "stdout", "output_type": "stream", "text": _lines(printed.getvalue())})
    if "matplotlib.pyplot" in sys.modules:
        from matplotlib import pyplot

        for number in pyplot.get_fignums():
            picture = io.BytesIO()
            pyplot.figure(number).savefig(picture, format="png", dpi=80)
            data = {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": ["a picture"]}
            shown.append({"output_type": "display_data", "data": data, "metadata": {}})
        pyplot.close("all")
    return shown


def notebook(ran: list[tuple[Cell, list[dict[str, Any]]]]) -> dict[str, Any]:
    """As the format of Jupyter says, version 4.5."""
    written: list[dict[str, Any]] = []
    for number, (cell, outputs) in enumerate(ran):
        one = {"id": f"cell-{number}", "metadata": {}, "source": _lines(cell.source)}
        if cell.markdown:
            written.append({"cell_type": "markdown", **one})
        else:
            written.append({"cell_type": "code", **one, "execution_count": None, "outputs": outputs})
    language = {"name": "python"}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": language}
    return {"cells": written, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    """Make every notebook, or those that were named."""
    import matplotlib as mpl

    mpl.use("agg")
    for path in sorted(NOTEBOOKS.glob("*.py")):
        if sys.argv[1:] and path.stem not in sys.argv[1:]:
            continue
        made = path.with_suffix(".ipynb")
        made.write_text(json.dumps(notebook(run(path)), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{made.name}: {made.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
