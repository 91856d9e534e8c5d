"""Nothing calls home: the one place that switches off what dependencies report to their makers.

`cryofed/__init__.py` calls it, so it has run before any of them is imported, in every entry point, and every
process that is started from one inherits it.
"""

from __future__ import annotations

import os

SWITCHES = {
    # Release 1.32: a device id and an event database in the user's cache; after a minute, event servers.
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # mlflow: usage events
    "FLWR_TELEMETRY_ENABLED": "0",  # Flower: usage events
    "FLWR_DISABLE_UPDATE_CHECK": "1",  # Flower: asks its maker for newer releases
    "DO_NOT_TRACK": "1",  # what several others look at
}


def keep_silent() -> None:
    """Set every switch, whatever the user's environment says."""
    os.environ.update(SWITCHES)
