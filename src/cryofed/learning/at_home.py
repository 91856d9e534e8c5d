"""Train on one library and write the model, if it is better at home than the one it started from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryofed.errors import InputError, OutputError
from cryofed.learning.device import device_of
from cryofed.learning.export import read_vector, write_model
from cryofed.learning.local import EPOCHS, LocalModel, fine_tune, mean_auc, mean_brier
from cryofed.learning.vector import vector_hash
from cryofed.library.store import Library
from cryofed.scoring.scorer import SHIPPED, open_model


def train_at_home(
    library: Path,
    out: Path,
    *,
    release: Path | None = None,
    seed: int = 1,
    epochs: int = EPOCHS,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[LocalModel, list[str]]:
    """Fine-tune a release on a library's labels; the folder `out` is written only if that made it better.

    Args:
        library: a site's library; its held-out projects judge, the others teach.
        out: a new folder, for `model.onnx`, `weights.safetensors` and `card.json`.
        release: the folder of the model to start from; by default the one that CryoFed ships.
        seed: of the order of the averages and their turns.
        epochs: how often each average is seen, 1 or more.
        device: "auto", "cpu", "cuda" or "mps"; only on the CPU does the same seed give the same bits.
        progress: called after each step with its number and the number of all steps.

    Returns:
        The trained model beside the one that it started from, and the names of the held-out projects.

    Raises:
        InputError: `library` or `release` cannot be read, `epochs` is below 1, or there is no such `device`.
        OutputError: `out` holds something already.
        TrainingError: too few labels, labels of one kind only, or no held-out project.
    """
    if epochs < 1:
        raise InputError("--epochs", "number", str(epochs), "give 1 or more")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(out, "folder", "not empty", "name a new folder with --out")
    device_of(device)  # refused before the library is read
    release = release or SHIPPED.parent
    vector = read_vector(release / "weights.safetensors")
    calibration = open_model(release / "model.onnx", "cpu").calibration
    with Library(library) as opened:
        training, held_out = opened.labelled(held_out=False), opened.labelled(held_out=True)
        names = sorted(p.name for p in opened.projects() if p.held_out and p.labelled)
    tried = fine_tune(
        vector, calibration, training, held_out, seed, epochs=epochs, device=device, progress=progress
    )
    if tried.better:
        card = {"made by": "cryofed train", "from_vector_sha256": vector_hash(vector), **facts(tried)}
        write_model(out, tried.vector, tried.calibration, card)
    return tried, names


def facts(tried: LocalModel) -> dict[str, float | int]:
    """What was trained on, and the figures before and after, as the model's card holds them."""
    return {
        "examples": tried.examples,
        "steps": tried.steps,
        "share": tried.share,
        "held_out_projects": len(tried.before),
        "held_out_examples": sum(p.examples for p in tried.before),
        "auc_before": round(mean_auc(tried.before), 4),
        "auc_after": round(mean_auc(tried.after), 4),
        "brier_before": round(mean_brier(tried.before), 4),
        "brier_after": round(mean_brier(tried.after), 4),
    }
