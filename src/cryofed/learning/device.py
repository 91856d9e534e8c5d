"""Where training computes: a graphics card where PyTorch sees one, else the processor."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cryofed.errors import InputError, MissingPackageError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")


def device_of(name: str) -> torch.device:
    """The device of that name; "auto" takes CUDA, then Apple's MPS, then the processor.

    Only the processor promises the same bits for the same arguments: kernels of graphics cards add up in an
    order of their own.

    Raises:
        InputError: an unknown name, or a device that PyTorch does not see here.
        MissingPackageError: PyTorch is not installed.
    """
    if name not in DEVICES:
        raise InputError("device", "name", f"found {name!r}", f"use one of {', '.join(DEVICES)}")
    if find_spec("torch") is None:
        raise MissingPackageError("torch", "train")
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind in present if present[kind]))
    if not present[name]:
        raise InputError(
            "device",
            name,
            "PyTorch sees none on this machine",
            "use 'auto', or install PyTorch's build for it",
        )
    return torch.device(name)


def faster(device: torch.device) -> AbstractContextManager[object]:
    """Mixed precision in bfloat16 for a forward pass on CUDA; elsewhere it changes nothing."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
