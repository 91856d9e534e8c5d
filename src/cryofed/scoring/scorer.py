"""Score every class of a job with an ONNX model; torch is never imported."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryofed.errors import InputError
from cryofed.jobs.check import FEWEST_PARTICLES
from cryofed.jobs.job import ClassJob, Images
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.features import FEATURES, features
from cryofed.scoring.looks import Looks, looks
from cryofed.scoring.prepare import prepare_crops
from cryofed.scoring.reasons import REASONS

if TYPE_CHECKING:
    import onnxruntime

SHIPPED = Path(__file__).with_name("model") / "model.onnx"
# Views of each average whose logits are averaged: crop (of the mask's radius), quarter turns, mirrored.
VIEWS = ((0.9, 0, False), (1.0, 1, True), (1.1, 2, False))
LOOKED = 1  # index of the view whose looks count
FEWER_VIEWS = ((0.92, 0, False), (1.08, 1, True))  # of jobs with MANY classes, where time counts
MANY = 100
DEVICES = ("auto", "cpu", "cuda")
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_NO_CUDA = "use 'auto', or install onnxruntime-gpu with the CUDA libraries that it names"
BATCH = 128  # averages in one call; larger only needs more memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the model says of n classes, in stack order.

    `score` `(n,)` is the probability that an expert keeps the class, beside its job; NaN where it was not
    scored (flat or unreadable average, too few particles). `reasons` `(n, len(REASONS))` are the
    probabilities of why not, given that it is not kept; `unsure` `(n,)` asks for a person's eye. `pooled`
    `(n, POOLED)` are the numbers that the trunk ends in, NaN where not scored: what decisions of a person
    teach is learnt on them. `doubt`, from 0 to 0.5, is how far the share of good classes is uncertain.
    """

    score: NDArray[np.float64]
    reasons: NDArray[np.float64]
    unsure: NDArray[np.bool_]
    pooled: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    doubt: float = 0.0

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True, slots=True)
class Model:
    """An open model file: the session that runs it and the calibration kept inside the file."""

    session: onnxruntime.InferenceSession
    calibration: Calibration


def score_job(
    job: ClassJob,
    model: Path | None = None,
    fewest_particles: int = FEWEST_PARTICLES,
    device: str = "auto",
) -> Scores:
    """Score every class of at least `fewest_particles` with `model`, by default the one that ships.

    Only on the CPU are the scores the same to the bit; see `providers`.
    """
    opened = open_model(model or SHIPPED, device)
    usable = scorable(job, fewest_particles)
    score = np.full(len(job.classes), np.nan)
    reasons = np.full((len(job.classes), len(REASONS)), np.nan)
    pooled, doubt = np.zeros((len(job.classes), 0), np.float32), 0.0
    if usable.any():
        logits, numbers, looked = answers(opened, job, usable)
        pooled = np.full((len(job.classes), numbers.shape[1]), np.nan, np.float32)
        pooled[usable] = numbers
        judged = opened.calibration.judged(logits[:, 0], looked)
        score[usable], doubt = judged.good, judged.doubt
        odds = np.exp(logits[:, 1:] - logits[:, 1:].max(axis=1, keepdims=True))
        reasons[usable] = odds / odds.sum(axis=1, keepdims=True)
    unsure = opened.calibration.is_unsure(score)
    return Scores(score=score, reasons=reasons, unsure=unsure, pooled=pooled, doubt=doubt)


def scorable(job: ClassJob, fewest_particles: int = FEWEST_PARTICLES) -> NDArray[np.bool_]:
    """Classes whose average holds a picture made of enough particles, or of an unknown number."""
    lowest, highest = job.averages.min(axis=(1, 2)), job.averages.max(axis=(1, 2))
    enough = (job.classes.particles < 0) | (job.classes.particles >= fewest_particles)
    result: NDArray[np.bool_] = np.isfinite(lowest) & np.isfinite(highest) & (highest > lowest) & enough
    return result


def answers(
    model: Model, job: ClassJob, usable: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], Looks]:
    """Logits `(usable classes, 1 + reasons)` and pooled numbers, means of the views; looks."""
    numbers = features(job)[usable]
    ways = FEWER_VIEWS if len(numbers) > MANY else VIEWS
    crops = prepare_crops(job, [crop for crop, _, _ in ways])
    views = [turned(images[usable], *way[1:]) for images, way in zip(crops, ways, strict=True)]
    columns = zip(*(run(model, images, numbers) for images in views), strict=True)
    logits, pooled = (np.stack(column).mean(axis=0, dtype=np.float64) for column in columns)
    return logits, pooled, looks(views[LOOKED])


def turned(images: Images, turns: int, mirrored: bool) -> Images:
    """The pictures after quarter turns and perhaps a mirror; a class average has no up and no hand."""
    images = np.rot90(images, turns, axes=(1, 2))
    return np.ascontiguousarray(images[:, :, ::-1] if mirrored else images)


def run(
    model: Model, images: Images, numbers: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`(n, 64, 64)` prepared averages and `(n, F)` features to logits and pooled numbers."""
    parts = [
        model.session.run(
            ["logits", "pooled"],
            {"images": images[first : first + BATCH], "features": numbers[first : first + BATCH]},
        )
        for first in range(0, len(images), BATCH)
    ]
    logits, pooled = (np.concatenate(column) for column in zip(*parts, strict=True))
    return logits, pooled


def score_prepared(model: Model, images: Images, numbers: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities `(n,)` of one job's averages that were prepared before, in one view."""
    logits, _ = run(model, images, numbers)
    return model.calibration.probabilities(logits[:, 0].astype(np.float64), looks(images))


def load_ahead(model: Path | None = None, device: str = "auto") -> None:
    """Open the model in a thread of its own while a job is read; what is wrong is told when it is needed."""
    with suppress(InputError):
        open_model(model or SHIPPED, device)


def open_model(path: Path, device: str = "auto") -> Model:
    """Open a model file and check that it takes what this version of CryoFed prepares.

    Raises:
        InputError: not such a file, or a device that is not there.
    """
    with _OPENING:
        return _open(path, device)


def providers(device: str) -> list[str]:
    """What ONNX Runtime shall compute with, first choice first.

    Args:
        device: "auto" takes CUDA where the installed ONNX Runtime has it, else the CPU; "cpu"; "cuda".

    Raises:
        InputError: an unknown device, or CUDA where ONNX Runtime was built without it.
    """
    import onnxruntime as ort

    if device not in DEVICES:
        raise InputError("device", "name", f"found {device!r}", f"use one of {', '.join(DEVICES)}")
    has_cuda = _CUDA in ort.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise InputError("device", "cuda", "this ONNX Runtime has none", _NO_CUDA)
    return [_CUDA, _CPU] if has_cuda and device != "cpu" else [_CPU]


@lru_cache(maxsize=4)
def _open(path: Path, device: str) -> Model:
    import onnxruntime as ort

    if not path.is_file():
        raise InputError(path, "model", "no such file", "give a model.onnx that CryoFed wrote")
    options = ort.SessionOptions()
    options.intra_op_num_threads = min(4, len(os.sched_getaffinity(0)) if _LINUX else os.cpu_count() or 1)
    options.inter_op_num_threads = 1
    options.log_severity_level = 4 if device == "auto" else 3  # a card that cannot be used is no news there
    # A thread that waits must sleep: on a busy machine spinning costs more than it gains.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = providers(device)
    try:
        session = ort.InferenceSession(str(path), options, providers=wanted)
    except Exception as error:  # ONNX Runtime raises many types of its own
        raise InputError(path, "model", "not a readable ONNX model", "copy the file again") from error
    if device == "cuda" and _CUDA not in session.get_providers():  # it was built in, and did not load
        raise InputError("device", "cuda", "ONNX Runtime cannot use it on this machine", _NO_CUDA)
    notes = session.get_modelmeta().custom_metadata_map
    for key, names in (("cryofed.features", FEATURES), ("cryofed.reasons", REASONS)):
        value = ",".join(names)
        if notes.get(key) != value:
            found = repr(notes.get(key)) if key in notes else "nothing"
            raise InputError(path, key, f"found {found}", "use a model of this version of CryoFed")
    try:
        calibration = Calibration.from_json(notes["cryofed.calibration"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(path, "cryofed.calibration", "damaged or missing", "copy the file again") from error
    return Model(session, calibration)


_LINUX = hasattr(os, "sched_getaffinity")
_OPENING = Lock()
