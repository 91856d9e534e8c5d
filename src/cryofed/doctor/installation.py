"""The program itself: Python, extras, engines, the shipped model, and that nothing calls home."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, distribution, version

from packaging.requirements import Requirement

from cryofed import __version__
from cryofed.doctor.finding import Finding, bad, checked, good, note
from cryofed.errors import InputError
from cryofed.silence import SWITCHES

FOR_WHAT = {
    "train": "training, and a site of a federation",
    "web": "review and monitor in the browser",
    "privacy": "differential privacy",
    "cryosparc": "driving a live CryoSPARC",
    "flare": "federations over NVIDIA FLARE",
    "flower": "federations over Flower, in an environment of its own",
    "openfl": "federations over OpenFL, in an environment of its own",
    "trust": "attestation and masks",
    "mlflow": "round reports to a tracking server",
}


def installation() -> list[Finding]:
    """All checks of this file, in the order of the report."""
    return [_program(), *_core(), *_extras(), _engines(), checked("model", _model), _silence()]


def _program() -> Finding:
    where = "a virtual environment" if sys.prefix != sys.base_prefix else "no virtual environment"
    return good("cryofed", f"{__version__}, Python {platform.python_version()} in {where}")


def _core() -> list[Finding]:
    absent = [text for text in (_lacks(one) for one in _requirements("")) if text]
    remedy = "install CryoFed again: python -m pip install ."
    return [bad("dependencies", ", ".join(absent), remedy)] if absent else []


def _extras() -> list[Finding]:
    findings = []
    for extra in sorted(_extra_names() & set(FOR_WHAT)):
        absent = [text for text in (_lacks(one) for one in _requirements(extra)) if text]
        if absent:
            remedy = f"if you need it: python -m pip install '.[{extra}]' in CryoFed's folder"
            findings.append(note(f"extra {extra}", f"{FOR_WHAT[extra]}: lacks {', '.join(absent)}", remedy))
        else:
            findings.append(good(f"extra {extra}", FOR_WHAT[extra]))
    return findings


def _engines() -> Finding:
    from cryofed.federation.agreement.engines import engine_names

    return checked("engines", lambda: ", ".join(engine_names()))


def _model() -> str:
    """Opens the shipped model and scores a picture: what `cryofed select` needs."""
    import numpy as np

    from cryofed.library.lessons import model_hash
    from cryofed.scoring.features import FEATURES
    from cryofed.scoring.prepare import SIDE
    from cryofed.scoring.scorer import SHIPPED, open_model, run

    picture = np.random.default_rng(0).standard_normal((1, SIDE, SIDE)).astype(np.float32)
    logits, _ = run(open_model(SHIPPED), picture, np.full((1, len(FEATURES)), np.nan, np.float32))
    if not np.isfinite(logits).all():
        raise InputError(SHIPPED, "model", "answers with NaN", "install CryoFed and onnxruntime again")
    return f"the shipped one scores; SHA-256 {model_hash(None)[:12]}…"


def _silence() -> Finding:
    loud = [name for name, value in SWITCHES.items() if os.environ.get(name) != value]
    if loud:
        return bad("telemetry", f"on: {', '.join(loud)}", "report this: CryoFed sets them at its start")
    return good("telemetry", "off in every dependency that has any")


def _extra_names() -> set[str]:
    return set(distribution("cryofed").metadata.get_all("Provides-Extra") or ())


def _requirements(extra: str) -> list[Requirement]:
    """What CryoFed itself asks for, or what this extra asks for beside it."""
    every = [Requirement(text) for text in distribution("cryofed").requires or ()]
    plain = [one for one in every if one.marker is None or one.marker.evaluate({"extra": ""})]
    if not extra:
        return plain
    return [one for one in every if one not in plain and one.marker and one.marker.evaluate({"extra": extra})]


def _lacks(requirement: Requirement) -> str:
    """Empty if it is installed in a release that fits."""
    try:
        here = version(requirement.name)
    except PackageNotFoundError:
        return requirement.name
    if requirement.specifier.contains(here, prereleases=True):
        return ""
    return f"{requirement.name}{requirement.specifier} ({here} is installed)"
