"""Those who listen to a campaign: progress bars, logs, trackers. What they do wrong costs no round."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Hook = Callable[[str, Mapping[str, Any]], None]  # event name and its facts


def tell(hooks: Iterable[Hook], event: str, facts: Mapping[str, Any]) -> None:
    """Let every hook hear of an event; one that fails is named in a line, and the others hear of it too."""
    for hook in hooks:
        try:
            hook(event, facts)
        except Exception as error:  # whatever it was, the round's result is worth more
            name = getattr(hook, "__qualname__", type(hook).__name__)
            words = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            print(f"warning: {name} failed at {event} ({words}); the campaign goes on", file=sys.stderr)
