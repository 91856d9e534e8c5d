"""Write a stack of averages as MRC, the same bytes for the same pictures."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np

from cryofed.jobs.job import Images


def write_stack(path: Path, images: Images, pixel_size_angstrom: float) -> None:
    """An MRC stack of float32; no date goes into its header."""
    with mrcfile.new(path) as file:
        file.set_data(np.asarray(images, np.float32))
        file.voxel_size = pixel_size_angstrom
        file.header.label[0] = b"Simulated by CryoFed"
