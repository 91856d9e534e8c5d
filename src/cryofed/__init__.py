"""CryoFed selects good cryo-EM 2D class averages; its model learns from every lab without taking data.

A program's way in; each name is imported when it is first used:

    import cryofed

    job = cryofed.open_job("Class2D/job012")
    selection = cryofed.select(job)
    cryofed.write_selection(job, selection, Path("selected"))
"""

from importlib import import_module
from typing import TYPE_CHECKING

from cryofed.silence import keep_silent

if TYPE_CHECKING:
    from cryofed.api import compare, run_plan, score, select, train, write_selection
    from cryofed.errors import CryoFedError
    from cryofed.federation.aggregator.campaign import Campaign
    from cryofed.federation.strategies.strategy import State, Strategy
    from cryofed.jobs.job import ClassJob
    from cryofed.jobs.opening import open_job
    from cryofed.library.store import Library
    from cryofed.scoring.scorer import Scores
    from cryofed.selection.policy import Policy, Selection

__version__ = "0.1.0"
__all__ = [
    "Campaign",
    "ClassJob",
    "CryoFedError",
    "Library",
    "Policy",
    "Scores",
    "Selection",
    "State",
    "Strategy",
    "__version__",
    "compare",
    "open_job",
    "run_plan",
    "score",
    "select",
    "train",
    "write_selection",
]

_PLACES = {
    "Campaign": "cryofed.federation.aggregator.campaign",
    "ClassJob": "cryofed.jobs.job",
    "CryoFedError": "cryofed.errors",
    "Library": "cryofed.library.store",
    "Policy": "cryofed.selection.policy",
    "Scores": "cryofed.scoring.scorer",
    "Selection": "cryofed.selection.policy",
    "State": "cryofed.federation.strategies.strategy",
    "Strategy": "cryofed.federation.strategies.strategy",
    "open_job": "cryofed.jobs.opening",
}

keep_silent()


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES.get(name, "cryofed.api")), name)
