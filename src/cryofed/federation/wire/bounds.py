"""What each number, name and hash from another machine may be: checked here before anything uses it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from cryofed.schema.fields import NAME
from cryofed.scoring.features import FEATURES, LIMIT
from cryofed.scoring.reasons import REASONS

MODELS = 2  # models in one order at most: the gate's two, or a strategy's channels
PIXEL_EDGES = (0.0, 0.7, 1.0, 1.5, 2.5, 5.0, float("inf"))  # Å; the bins of the statistics
BOX_EDGES = (0.0, 64, 128, 192, 256, 384, float("inf"))  # pixels


@dataclass(frozen=True, slots=True)
class Bound:
    """A closed interval, of whole numbers only where `whole`."""

    low: float
    high: float
    whole: bool = False

    def fits(self, value: object) -> bool:
        """Whether it is a float in the interval; NaN and infinity are not."""
        if type(value) is not float or not self.low <= value <= self.high:
            return False
        return not self.whole or value.is_integer()

    def held(self, value: float) -> float:
        """The nearest number in the interval: what a site tells of a value that is out of it."""
        return min(max(value, self.low), self.high)


SHARE = Bound(0.0, 1.0)
COUNT = Bound(0, 10**9, whole=True)
LOSS = Bound(0.0, 1e6)
LOGIT = Bound(-1e6, 1e6)  # slope and offset of a calibration; the campaign holds them far closer

# All that may travel beside an update; a site leaves out what it does not tell.
METRICS: Mapping[str, Bound] = MappingProxyType(
    {
        "loss": LOSS,  # mean training loss over the last tenth of the steps
        "auc": SHARE,  # of the received model on the site's held-out projects
        "brier": SHARE,  # the same
        "held_out": COUNT,  # averages in the site's held-out projects
    }
)
_OF_A_MODEL = {
    "auc": SHARE,
    "brier": SHARE,
    "calibration_error": SHARE,
    "held_out": COUNT,
    "good": COUNT,
    "slope": LOGIT,
    "offset": LOGIT,
}
_BINNED = [
    *(f"reason:{index}" for index in range(len(REASONS))),
    *(f"pixel:{index}" for index, _ in enumerate(pairwise(PIXEL_EDGES))),
    *(f"box:{index}" for index, _ in enumerate(pairwise(BOX_EDGES))),
]
# By task: all that a site may answer.
NUMBERS: Mapping[str, Mapping[str, Bound]] = MappingProxyType(
    {
        "evaluate": {f"{n}.{name}": bound for n in range(MODELS) for name, bound in _OF_A_MODEL.items()},
        "statistics": dict.fromkeys(["examples", "good", "bad", "jobs", "projects", *_BINNED], COUNT)
        | {f"feature:{name}.mean": Bound(-LIMIT, LIMIT) for name in FEATURES}
        | {f"feature:{name}.deviation": Bound(0, LIMIT) for name in FEATURES},
    }
)


def misfit(values: Mapping[str, object], known: Mapping[str, Bound]) -> str | None:
    """The first name that is unknown or whose value does not fit, None where all are fine."""
    return next(
        (name for name, value in values.items() if name not in known or not known[name].fits(value)), None
    )


def is_hash(text: object) -> bool:
    """Whether it is a SHA-256 in lower-case hexadecimal digits: 64 of them, and nothing else."""
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{64}", text) is not None


def is_name(text: object) -> bool:
    """Whether it is a site's or federation's name, which is a safe file name, too."""
    return isinstance(text, str) and re.fullmatch(NAME, text) is not None


def is_code(word: object) -> bool:
    """Whether it is the code of a failure: short, and safe in a line of a log or a page."""
    return isinstance(word, str) and re.fullmatch(r"[a-z0-9_-]{1,64}", word) is not None
