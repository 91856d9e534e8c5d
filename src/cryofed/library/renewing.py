"""Bring what an earlier CryoFed prepared to this one's preparation, from the kept pictures."""

from __future__ import annotations

import sqlite3

import numpy as np

from cryofed.library.pictures import PREPARATION, WIDE_SIDE, as_job, prepare_again
from cryofed.library.rows import class_table, stored_hash
from cryofed.scoring.features import FEATURES, features


def renew(sql: sqlite3.Connection) -> int:
    """Prepare again what is out of date, each job for itself; how many jobs."""
    stale = sql.execute("SELECT id FROM jobs WHERE preparation != ?", (PREPARATION,)).fetchall()
    for (job_id,) in stale:
        diameter, classes, wide = sql.execute(
            "SELECT mask_diameter_angstrom, classes, wide FROM jobs JOIN pictures ON job = id WHERE id = ?",
            (job_id,),
        ).fetchone()
        pictures = np.frombuffer(wide, "<f2").reshape(-1, WIDE_SIDE, WIDE_SIDE)
        numbers = features(as_job(class_table(classes), diameter, pictures)).astype("<f4")
        numbers[:, FEATURES.index("contrast_in_job")] = np.nan  # kept pictures have one deviation
        content = numbers.tobytes()
        shown = prepare_again(pictures).astype("<f2").tobytes()
        sql.execute(  # one statement is one transaction
            "UPDATE jobs SET preparation = ?, stored_hash = ?, features = ?, images = ? WHERE id = ?",
            (PREPARATION, stored_hash(content, shown, wide), content, shown, job_id),
        )
    return len(stale)
