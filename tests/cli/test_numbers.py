"""Every number that is typed is checked by its option's name, before anything is opened."""

import argparse
import re
from collections.abc import Iterator

import pytest

from cryofed.cli.main import main, make_parser


def _whole_or_free(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, child in action.choices.items():
                yield from _whole_or_free(child, (*words, word))
        elif action.type in (int, float):
            yield (*words, max(action.option_strings, default=action.dest))


def test_no_option_takes_any_number_whatever() -> None:
    class Everything:
        def __contains__(self, name: object) -> bool:
            return True

    assert list(_whole_or_free(make_parser(Everything()), ())) == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["select", "job", "--min-particles", "-1"], "--min-particles: -1 is less than 0"),
        (["select", "job", "--threshold", "1.5"], "--threshold: 1.5 is not a share from 0 to 1"),
        (["select", "job", "--threshold", "nan"], "--threshold: nan is not a share from 0 to 1"),
        (["select", "job", "--mask-diameter", "inf"], "--mask-diameter: inf is not above 0"),
        (["review", "job", "--port", "70000"], "--port: 70000 is no port, the last one is 65535"),
        (["review", "job", "--limit", "0"], "--limit: 0 is less than 1"),
        (["train", "--library", "a.db", "--epochs", "many"], "--epochs: 'many' is no whole number"),
        (["federation", "compare", "plan.toml", "--seeds", "0"], "--seeds: 0 is less than 1"),
        (["demo", "--seed", "-1"], "--seed: -1 is less than 0"),
    ],
)
def test_what_does_not_fit_is_one_line(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2  # as every misuse of the command line
    told = capsys.readouterr().err
    assert re.search(rf"error: .*{re.escape(line)}", told)
    assert "Traceback" not in told
