"""Strategies by name, with their parameters from the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from cryofed.errors import InputError
from cryofed.federation.strategies.adaptive import FedAdagrad, FedAdam, FedYogi
from cryofed.federation.strategies.cyclic import Cyclic
from cryofed.federation.strategies.diloco import DiLoCo
from cryofed.federation.strategies.fedavg import FedAvg
from cryofed.federation.strategies.fedavgm import FedAvgM
from cryofed.federation.strategies.feddyn import FedDyn
from cryofed.federation.strategies.fednova import FedNova
from cryofed.federation.strategies.fedprox import FedProx
from cryofed.federation.strategies.geometric_median import GeometricMedian
from cryofed.federation.strategies.krum import Krum, MultiKrum
from cryofed.federation.strategies.median import CoordinateMedian
from cryofed.federation.strategies.norm_bounded import NormBounded
from cryofed.federation.strategies.personal import Personal
from cryofed.federation.strategies.robust import Robust
from cryofed.federation.strategies.scaffold import Scaffold
from cryofed.federation.strategies.strategy import Strategy
from cryofed.federation.strategies.trimmed_mean import TrimmedMean

STRATEGIES: dict[str, type[Strategy]] = {
    kind.name: kind
    for kind in (
        FedAvg,
        FedAvgM,
        DiLoCo,
        FedAdam,
        FedYogi,
        FedAdagrad,
        FedProx,
        FedNova,
        Scaffold,
        FedDyn,
        Robust,
        NormBounded,
        CoordinateMedian,
        TrimmedMean,
        GeometricMedian,
        Krum,
        MultiKrum,
        Cyclic,
        Personal,
    )
}


# What is being tried in this process and has no file here yet. Only `offered` changes it.
_TRIED: dict[str, type[Strategy]] = {}


@contextmanager
def offered(*kinds: type[Strategy]) -> Iterator[None]:
    """Let plans of this process name these strategies, too, for so long.

    Raises:
        InputError: a name that is taken.
    """
    taken = [kind.name for kind in kinds if kind.name in STRATEGIES or kind.name in _TRIED]
    if taken:
        raise InputError("strategy", "name", f"{taken[0]!r}, which is taken", "give it another name")
    _TRIED.update({kind.name: kind for kind in kinds})
    try:
        yield
    finally:
        for kind in kinds:
            del _TRIED[kind.name]


def make_strategy(name: str, parameters: Mapping[str, object], source: str = "plan") -> Strategy:
    """The strategy that a plan names.

    Args:
        name: a key of `STRATEGIES`.
        parameters: the strategy's fields, as TOML gives them.
        source: the file to name in an error.

    Raises:
        InputError: unknown strategy or parameter, or a value of the wrong type or outside its range.
    """
    known_names = STRATEGIES | _TRIED
    if name not in known_names:
        raise InputError(source, "strategy.name", f"found {name!r}", _remedy(name, list(STRATEGIES)))
    kind = known_names[name]
    known: dict[str, Any] = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]  # all are dataclasses
    chosen: dict[str, Any] = {}
    for field, value in parameters.items():
        if field not in known:
            raise InputError(
                source, f"strategy.{field}", f"{name} has no such parameter", _remedy(field, list(known))
            )
        chosen[field] = _typed(source, field, value, type(known[field].default))
    try:
        return kind(**chosen)
    except InputError as error:
        _, field, found, remedy = error.args
        raise InputError(source, f"strategy.{field}", found, remedy) from None


def _typed(source: str, field: str, value: object, kind: type) -> object:
    """The value, if TOML wrote it as the parameter's type; a whole number passes as a float."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is tuple and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if type(value) is kind:
        return value
    words = {
        float: "a number",
        int: "a whole number",
        str: "a text",
        bool: "true or false",
        tuple: "a list of texts",
    }
    raise InputError(source, f"strategy.{field}", f"found {value!r}", f"write {words[kind]}")


def _remedy(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}use one of {', '.join(known)}" if known else "leave it out"
