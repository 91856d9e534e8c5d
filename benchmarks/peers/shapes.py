"""The networks of RELION's class ranker and of CryoSift, written new from their published descriptions.

Both read the prepared average that ours reads, and their features scaled to mean 0 and deviation 1 over the
training corpus, clipped, with 0 for what a job does not tell. The published ones clip nothing, and CryoSift
scales only its masses; both would be worse off.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

FEATURE_LIMIT = 5.0  # deviations


class Scaled(nn.Module):
    """Features at mean 0 and deviation 1, unknown ones 0."""

    middle: Tensor
    spread: Tensor

    def __init__(self, middle: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.register_buffer("middle", middle)
        self.register_buffer("spread", spread)

    def forward(self, features: Tensor) -> Tensor:
        scaled = ((features - self.middle) / self.spread).clamp(-FEATURE_LIMIT, FEATURE_LIMIT)
        return torch.nan_to_num(scaled, nan=0.0)


def scale_of(table: Tensor) -> Scaled:
    """The scale of a training table `(n, F)` with NaN where unknown."""
    known = torch.isfinite(table)
    count = known.sum(0).clamp_min(1)
    middle = torch.where(known, table, 0).sum(0) / count
    spread = (torch.where(known, table - middle, 0).square().sum(0) / count).sqrt()
    return Scaled(middle, spread.clamp_min(1e-6))


class RelionShape(nn.Module):
    """16-16-32 / 2, 32-32-64 / 2, 64-64-128 / 2, Linear 8192 to 48, beside 18 features, to 48, to 1.

    588,353 numbers: the published 588,641 less the six features that its training hides.
    """

    def __init__(self, scale: Scaled) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 1
        for a, b, c in ((16, 16, 32), (32, 32, 64), (64, 64, 128)):
            for out, stride in ((a, 1), (b, 1), (c, 2)):
                layers += [nn.Conv2d(width, out, 3, stride=stride, padding=1), nn.ReLU()]
                width = out
        self.trunk = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(8192, 48), nn.ReLU())
        self.scale = scale
        self.head = nn.Sequential(nn.Linear(48 + 18, 48), nn.ReLU(), nn.Dropout(0.3), nn.Linear(48, 1))

    def forward(self, images: Tensor, features: Tensor) -> Tensor:
        """`(n, 64, 64)` and `(n, 18)` to `(n,)`."""
        seen = self.trunk(images[:, None])
        return self.head(torch.cat([seen, self.scale(features)], dim=1))[:, 0]


class CryoSiftShape(nn.Module):
    """Residual blocks 16,16 | 32,32 | 64,64,64 | 128,128,128, a halving after each group, pool 6 × 6.

    Batch normalization and dropout follow every block and halving: the published 1,366,999 numbers.
    CryoSift pads to 210 × 210; here the picture is enlarged to `side` pixels before the first convolution.
    """

    def __init__(self, scale: Scaled, side: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 1
        for group in ((16, 16), (32, 32), (64, 64, 64), (128, 128, 128)):
            for index, out in enumerate(group):
                layers += [_Block(width, out, turned=out < 64 or index == 0), *_calmed(out)]
                width = out
            layers += [nn.Conv2d(width, width, 3, stride=2), *_calmed(width)]
        self.trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(6), nn.Flatten(), nn.ReLU())
        self.scale, self.side = scale, side
        self.head = nn.Linear(128 * 36 + 6, 1)

    def forward(self, images: Tensor, features: Tensor) -> Tensor:
        """`(n, 64, 64)` and `(n, 6)` to `(n,)`."""
        low, high = images.amin((1, 2), keepdim=True), images.amax((1, 2), keepdim=True)
        scaled = ((images - low) / (high - low).clamp_min(1e-6))[:, None]  # min-max, as CryoSift does
        if self.side != images.shape[-1]:
            size = (self.side, self.side)
            scaled = nn.functional.interpolate(scaled, size, mode="bilinear", align_corners=False)
        return self.head(torch.cat([self.trunk(scaled), self.scale(features)], dim=1))[:, 0]


def _calmed(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(width), Dropout()


class Dropout(nn.Module):
    """Dropout of a quarter, 64 of 256 random bytes: torch's own takes a quarter of the training's time."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        seed = int(torch.randint(2**62, ()))
        drawn = torch.from_numpy(np.frombuffer(np.random.default_rng(seed).bytes(x.numel()), np.uint8).copy())
        # The bytes in the order of the picture's own memory, whatever that is.
        return x * (drawn >= 64).as_strided(x.shape, x.stride()).to(x.dtype) / 0.75


class _Block(nn.Module):
    """Two 3 × 3 convolutions, normalized between, beside the identity or a convolution."""

    def __init__(self, width: int, out: int, *, turned: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, out, 3, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(out),
            nn.Conv2d(out, out, 3, padding=1),
            nn.ReLU(),
        )
        self.skip = nn.Conv2d(width, out, 3, padding=1) if turned else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.skip(x))
