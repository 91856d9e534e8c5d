"""Write docs/reference/ from the code: `python docs/make_reference.py`. A test says when to."""

from __future__ import annotations

import argparse
import inspect
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path
from types import FunctionType
from typing import Any

import cryofed
from cryofed.cli.main import COMMANDS, parser_for
from cryofed.federation.agreement.engines import GROUP

FOLDER = Path(__file__).with_name("reference")
WRITTEN = "*This page is written from the code, by `python docs/make_reference.py`.*"


def main() -> None:
    """Write every page."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """The pages by file name."""
    return {
        "commands.md": commands(),
        "plan.md": plan(),
        "policy.md": policy(),
        "python.md": python(),
    }


def commands() -> str:
    """The help of every command, as `--help` prints it."""
    os.environ["COLUMNS"] = "100"  # argparse wraps to the terminal
    lines = ["# Commands", "", WRITTEN, "", _EXIT, ""]
    for name in COMMANDS:
        for words, parser in _parsers(_child(parser_for([name]), name), [name]):
            told = " ".join(words)
            lines += [f"## `cryofed {told}`" if len(words) == 1 else f"### `{told}`", ""]
            lines += ["```text", parser.format_help().rstrip(), "```", ""]
    return "\n".join(lines)


_EXIT = (
    "Exit status: 0 done, 1 something that you can mend (one line says what), 2 a wrong command line, "
    "130 stopped by Ctrl-C."
)


def plan() -> str:
    """A plan with a comment on every field."""
    from cryofed.federation.agreement.plan import USUAL, EnrolledSite
    from cryofed.federation.agreement.plan_file import commented_plan

    text = commented_plan(replace(USUAL, sites=(EnrolledSite(name="north"), EnrolledSite(name="south"))))
    own = sorted(one.name for one in distribution("cryofed").entry_points if one.group == GROUP)
    text = re.sub(r"(?m)^(engine = .*?)\(.*\)$", rf"\1({', '.join(own)})", text)  # not who else is here
    told = (
        "`cryofed federation new PLAN.toml` writes this file, with the names that you give. A field that is left "
        "out has the value that `--whole` writes."
    )
    return "\n".join(["# The plan", "", WRITTEN, "", told, "", "```toml", text.strip(), "```", ""])


def policy() -> str:
    """A site's policy with a comment on every field."""
    from cryofed.federation.agreement.site_policy import SitePolicy, commented_policy

    told = "`cryofed site policy write` writes this file. [What each rule does](../policy.md)."
    text = commented_policy(SitePolicy()).strip()
    return "\n".join(["# A site's policy", "", WRITTEN, "", told, "", "```toml", text, "```", ""])


def python() -> str:
    """The public names with their docstrings."""
    lines = ["# Python", "", WRITTEN, "", "```python", *_example(), "```", ""]
    for name in cryofed.__all__:
        value: Any = getattr(cryofed, name)
        if isinstance(value, str):
            continue
        head = f"{name}{_signature(value)}" if isinstance(value, FunctionType) else name
        lines += [f"## `{name}`", "", "```python", head, "```", "", _text(inspect.getdoc(value) or ""), ""]
    return "\n".join(lines)


def _parsers(
    parser: argparse.ArgumentParser, words: list[str]
) -> Iterator[tuple[list[str], argparse.ArgumentParser]]:
    """A command and all below it."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from _parsers(child, [*words, name])


def _child(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    (action,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    child: argparse.ArgumentParser = action.choices[name]
    return child


def _example() -> list[str]:
    doc = inspect.getdoc(cryofed) or ""
    return [line.removeprefix("    ") for line in doc.split(":\n", 1)[1].strip("\n").splitlines()]


def _signature(value: FunctionType) -> str:
    return re.sub(r"<([\w.]+)[^>]*>", r"\1", str(inspect.signature(value)))


def _text(doc: str) -> str:
    """A docstring's sections as Markdown: `Args:` and the like become lists."""
    lines = []
    for line in doc.splitlines():
        if re.fullmatch(r"(Args|Returns|Raises|Yields):", line):
            lines += ["", f"**{line[:-1]}**", ""]
        elif re.match(r" {4}\w+: ", line):
            name, _, rest = line.strip().partition(": ")
            lines.append(f"- `{name}`: {rest}")
        else:
            lines.append(line[4:] if line.startswith("    ") else line)
    return "\n".join(lines).strip()


if __name__ == "__main__":
    main()
