"""An aggregator that is killed with signal 9 after its n-th write: python -m tests.contract.killed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.contract.harness import Embedded

from cryofed.federation.agreement.plan_file import read_plan


def main(folder: Path, event: int, behaviours: dict[str, str]) -> None:
    """Run, counting what reaches the disk: every fsync and every rename is an event."""
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen == event:
            os.kill(os.getpid(), signal.SIGKILL)

    fsync, rename = os.fsync, Path.replace

    def counted_fsync(file: int) -> None:
        fsync(file)
        count()

    def counted_replace(self: Path, target: Path) -> Path:
        moved = rename(self, target)
        count()
        return moved

    os.fsync, Path.replace = counted_fsync, counted_replace  # type: ignore[assignment,method-assign]
    Embedded(inline=True).run(read_plan(folder / "plan.toml"), folder, behaviours)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), dict(word.split("=") for word in sys.argv[3:]))
