"""Which molecules a training never sees, so that they can judge it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What one training never sees: all real sets of some molecules, and RELION's jobs of some structures."""

    molecules: tuple[str, ...]
    structures: tuple[str, ...] = ()  # of relion_training; kin of the molecules, or of jobs in relion_jobs


# Small molecules share a training: leaving out two is harder than leaving out one. RELION's judging jobs are
# shared out so that none is judged by a model that saw a job of the same molecule.
FOLDS: Mapping[str, Fold] = {
    "trpv1": Fold(molecules=("TRPV1",), structures=("1igt", "1igy", "1lnl")),
    "bgal": Fold(molecules=("β-galactosidase",), structures=("emd_2479", "polnet_6utj_5a", "6utj", "3j9i")),
    "ribosome": Fold(molecules=("ribosome",), structures=("polnet_6qzp", "polnet_6pxm", "1xnr")),
    "10880": Fold(molecules=("empiar10880", "cryosift20")),
    "stain": Fold(molecules=("Nup82 complex", "Pom152")),
    "all": Fold(molecules=()),  # judges the sets that are never trained on
}

# Farther from what was learnt: half of the molecules are left out at once.
HALVES: Mapping[str, Fold] = {
    "half-a": Fold(
        molecules=(
            "TRPV1", "ribosome", "empiar10880", "cryosift20", "haemagglutinin", "insulin receptor",
            "hexamer50",
        ),
        structures=FOLDS["trpv1"].structures + FOLDS["ribosome"].structures,
    ),
    "half-b": Fold(
        molecules=("β-galactosidase", "Nup82 complex", "Pom152"), structures=FOLDS["bgal"].structures
    ),
}  # fmt: skip


def fold_of(molecule: str, folds: Mapping[str, Fold] = FOLDS) -> str:
    """The fold whose training never saw a molecule."""
    return next((name for name, fold in folds.items() if molecule in fold.molecules), "all")


def fold_of_structures(structures: Sequence[str]) -> str:
    """The same for a RELION job of some structures."""
    return next((name for name, fold in FOLDS.items() if set(fold.structures) & set(structures)), "all")
