"""A model is a folder; people name it by the folder or by one of its files."""

from __future__ import annotations

from pathlib import Path

_WEIGHTS = "weights.safetensors"


def model_folder(given: Path | str) -> Path:
    """The folder of a model that was named by it, or by one of its files."""
    path = Path(given)
    return path.parent if path.name in ("model.onnx", _WEIGHTS) else path


def model_weights(given: Path | str) -> Path:
    """The file of the weights of a model that was named so."""
    return model_folder(given) / _WEIGHTS
