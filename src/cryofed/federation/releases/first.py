"""The model that a federation begins with: the shipped one, a file's, or an untrained one."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from safetensors import safe_open
from safetensors.numpy import load_file

from cryofed.errors import InputError, MissingPackageError
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.releases.refill import places_in
from cryofed.federation.releases.store import current_release, first_release
from cryofed.learning.vector import Vector
from cryofed.scoring.calibration import UNKNOWN, Calibration
from cryofed.scoring.scorer import SHIPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """A model to begin with."""

    vector: Vector | None  # None: an untrained one
    calibration: Calibration
    origin: str


def begin_releases(home: Path, plan: Plan, start: Path | None = None, *, untrained: bool = False) -> None:
    """Make the first release of the federation in `home`, unless it has one already.

    Args:
        home: the federation's folder.
        plan: its seed makes an untrained model.
        start: a `weights.safetensors`; by default the shipped model's.
        untrained: begin with a fresh network instead. Needs torch.

    Raises:
        InputError: `start` is not readable, or a first model is named where releases are there already.
    """
    if current_release(home / "releases") is not None:
        if start or untrained:
            raise InputError(
                home,
                "releases",
                "there already",
                "leave --model and --from-scratch away, or give another --home",
            )
        return
    first = first_model(start, untrained=untrained)
    vector = first.vector
    if vector is None:
        if find_spec("torch") is None:
            raise MissingPackageError("torch", "train")
        from cryofed.learning.learner import initial_vector

        vector = initial_vector(plan.seed)
    first_release(
        home / "releases", vector, first.calibration, {"federation": plan.name, "origin": first.origin}
    )


def check_start(plan: Plan, path: Path, *, untrained: bool) -> None:
    """Whether a plan can train this first model.

    Raises:
        InputError: the plan trains the head alone, and the trunk of an untrained model knows nothing.
    """
    if untrained and plan.training.part == "head":
        raise InputError(
            path,
            "training.part",
            "'head', and the first model is untrained",
            "leave --from-scratch away, or write the plan with: cryofed federation new --whole",
        )


def first_model(start: Path | None, *, untrained: bool) -> First:
    """The model that is named, by default the shipped one. Needs no torch.

    Raises:
        InputError: `start` is not a file of weights.
    """
    if untrained:
        return First(vector=None, calibration=UNKNOWN, origin="untrained")
    path = start or SHIPPED.with_name("weights.safetensors")
    try:
        arrays = load_file(path)
        with safe_open(path, "np") as file:
            written = (file.metadata() or {}).get("calibration")
        calibration = UNKNOWN if written is None else Calibration.from_json(written)
    except Exception as error:  # safetensors raises its own type for a damaged header
        found = type(error).__name__
        raise InputError(path, "weights", f"not readable ({found})", "copy the file again") from None
    layout, _, _ = places_in(SHIPPED.parent)
    return First(vector=layout.join(arrays), calibration=calibration, origin="given" if start else "shipped")
