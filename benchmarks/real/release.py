"""The model that CryoFed ships: made here, since what it learnt from is the benchmark's material."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from benchmarks.real.folds import FOLDS
from benchmarks.real.ours import SEEDS, Bench, Told, calibration
from benchmarks.real.recipe import JUNK_JOBS, JUNK_SEEDS, SETTINGS, SHARES, SIMULATED, SPOILT
from benchmarks.real.sets import RealSet
from benchmarks.real.sources import sources
from cryofed import __version__
from cryofed.errors import InputError
from cryofed.learning.export import write_model
from cryofed.learning.learner import layout
from cryofed.learning.vector import Vector, vector_hash
from cryofed.scoring.features import FEATURES
from cryofed.scoring.network import POOLED

UNSURE = (0.2, 0.7)  # probabilities between which a person should look
HEAD = "head.0.weight"


def beginning(path: Path) -> Vector:
    """The vector of a `weights.safetensors`; of one with fewer features, the new ones get weight 0.

    Raises:
        InputError: the file is of another network.
    """
    try:
        arrays = load_file(path)
    except Exception as error:  # safetensors raises its own type for a damaged header
        raise InputError(path, "weights", "not readable as safetensors", "copy the file again") from error
    weight = arrays[HEAD]
    known = (weight.shape[1] - POOLED) // 2
    missing = len(FEATURES) - known
    if missing < 0 or POOLED + 2 * known != weight.shape[1]:
        raise InputError(path, HEAD, f"shape {weight.shape}", "give weights of an earlier CryoFed")
    # The head reads the trunk's numbers, then the features, then which of them are unknown.
    parts = np.split(weight, [POOLED, POOLED + known], axis=1)
    new = np.zeros((len(weight), missing), np.float32)
    arrays[HEAD] = np.concatenate([parts[0], parts[1], new, parts[2], new], axis=1)
    return layout().join(arrays)


def write_release(bench: Bench, told: Sequence[Told], out: Path, seeds: Sequence[int] = SEEDS) -> None:
    """`model.onnx`, `weights.safetensors` and `card.json` of the training of fold "all", or the seeds' mean.

    Slope and offset are those of the left-out sets: what the model says of molecules that it never saw.
    """
    fitted = replace(calibration(told), unsure=UNSURE)
    write_model(out, bench.soup("all", seeds), fitted, card(bench, seeds))


def card(bench: Bench, seeds: Sequence[int]) -> dict[str, Any]:
    """What the model is, what it learnt from, and what it must not be used for."""
    jobs, seed = SIMULATED
    return {
        "name": "cryofed class average scorer",
        "code_version": __version__,
        "begins_with": {
            "vector_sha256": vector_hash(bench.begin),
            "what": "the release of 2026-11-26, of simulated averages alone (1,800 jobs, corpus seed 101)",
        },
        "trained_on": {
            "share_of_every_batch": {
                name: round(of / sum(SHARES.values()), 2) for name, of in SHARES.items()
            },
            "simulated": f"cryofed.simulation, {jobs} jobs of corpus seed {seed}",
            "relion": "16 RELION 3.1 classifications of simulated particles of real molecules, with truth",
            "real": [_source(one) for one in bench.sets if one.training],
            "spoilt": f"bad averages made of the good real ones, {SPOILT} of each (cryofed.learning.spoilt)",
            "junk": f"{JUNK_JOBS * len(JUNK_SEEDS)} RELION 3.1 classifications of nothing but simulated junk "
            "(cryofed simulate jobs --junk-share 1)",
            "kept": "the weights only; no picture is part of the project",
        },
        "training": {**asdict(SETTINGS), "seed": list(seeds)},
        "calibration": f"on sets that were left out: {', '.join(name for name in FOLDS if name != 'all')}",
        "reproduce": "python -m benchmarks real release --begin OLD.safetensors --out DIR",
        "intended_use": "to sort and pre-select the 2D class averages of single-particle cryo-EM",
        "limits": [
            "a score is not a resolution and says nothing about a structure",
            "junk that looks like a whole, sharp, centred particle (another protein, say) is kept",
            "averages of under 10 particles are not scored",
            "tomography, 2D crystals and micrographs were hardly or never shown",
        ],
        "must_not_be_used_for": [
            "deciding alone what is deleted: particles of rejected classes should be kept on disk",
            "judging people, laboratories or instruments",
            "diagnosis or any clinical decision",
        ],
    }


def _source(one: RealSet) -> dict[str, Any]:
    source = next(source for source in sources() if source.name == one.name)
    return {
        "set": one.name,
        "molecule": one.molecule,
        "good": one.n_good,
        "bad": one.n_bad,
        "repository": source.repository,
        "labelled_by": one.labelled_by,
        "licence": source.licence,
    }
