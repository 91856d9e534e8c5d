"""ε of the sites whose ledgers lie here; the accountant takes seconds, so it works beside the page."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cryofed.disk.lines import read_lines
from cryofed.errors import CryoFedError

WAIT = {"text": "being worked out", "epsilon": None}

Statement = dict[str, Any]  # `epsilon`, None where unknown, and `text`, the whole statement


class Budgets:
    """Owns one worker thread and what it has worked out, by ledger and its size: a ledger only grows."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="budget")
        self._known: dict[Path, tuple[int, Future[Statement]]] = {}

    def of(self, home: Path) -> dict[str, Statement]:
        """By site; what is not known yet says so, and what was known before stands until then."""
        budgets = {}
        # The embedded engine's sites, and those of real engines on this machine.
        ledgers = (*home.glob("sites/*/ledger.jsonl"), *home.glob("sites/*/work/ledger.jsonl"))
        for ledger in sorted(ledgers):
            size = ledger.stat().st_size
            known = self._known.get(ledger)
            if known is None or (known[0] != size and known[1].done()):
                known = (size, self._worker.submit(spent, ledger))
                self._known[ledger] = known
            budgets[ledger.relative_to(home).parts[1]] = known[1].result() if known[1].done() else WAIT
        return budgets


def spent(ledger: Path) -> Statement:
    """The largest statement of a ledger, over the libraries that it speaks of."""
    from cryofed.federation.site.guard.ledger import Ledger, statement

    try:
        libraries = {row["library"] for row in read_lines(ledger)}
        statements = [statement(Ledger(ledger).spends(library)) for library in sorted(libraries)]
    except (CryoFedError, OSError, KeyError) as error:
        return {"text": str(error), "epsilon": None}
    if not statements:
        return {"text": "nothing spent", "epsilon": 0.0}
    worst = max(statements, key=lambda one: one.epsilon)
    return {"text": str(worst), "epsilon": worst.epsilon if worst.epsilon < float("inf") else None}
