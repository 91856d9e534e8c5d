"""The network (torch): an average and its features become a logit and the logits of the reasons."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cryofed.scoring.features import FEATURES
from cryofed.scoring.reasons import REASONS

EMBEDDING = 64  # numbers that stand for an average just before the logits
POOLED = 192  # numbers that the trunk ends in: mean and largest of each of its channels


class Residual(nn.Module):
    """Two 3 × 3 convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.GroupNorm(8, width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.GroupNorm(8, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(n, width, y, x)` to the same shape."""
        return torch.relu(x + self.body(x))


class Network(nn.Module):
    """Group normalization and global pooling only: nothing in it remembers a site's statistics."""

    def __init__(self, widths: tuple[int, int, int] = (16, 32, 96)) -> None:
        super().__init__()
        first, second, third = widths
        self.trunk = nn.Sequential(
            nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False),
            nn.GroupNorm(8, first),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False),
            nn.GroupNorm(8, second),
            nn.ReLU(),
            Residual(second),
            nn.Conv2d(second, third, 3, stride=2, padding=1, bias=False),
            nn.GroupNorm(8, third),
            nn.ReLU(),
            Residual(third),
            Residual(third),
        )
        self.head = nn.Sequential(
            nn.Linear(2 * third + 2 * len(FEATURES), EMBEDDING),
            nn.ReLU(),
            nn.Linear(EMBEDDING, 1 + len(REASONS)),
        )

    def forward(self, images: Tensor, features: Tensor) -> Tensor:
        """`(n, 64, 64)` and `(n, F)`, NaN where unknown, to `(n, 1 + reasons)` logits."""
        return self.judge(self.pooled(images), features)

    def pooled(self, images: Tensor) -> Tensor:
        """`(n, 64, 64)` to the `(n, POOLED)` numbers that the trunk ends in: means and maxima of its maps."""
        seen = self.trunk(images[:, None])
        return torch.cat([seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3))], dim=1)

    def judge(self, pooled: Tensor, features: Tensor) -> Tensor:
        """`(n, POOLED)` and `(n, F)` to `(n, 1 + reasons)` logits: the head alone."""
        unknown = torch.isnan(features)
        known = torch.where(unknown, torch.zeros_like(features), features)
        logits: Tensor = self.head(torch.cat([pooled, known, unknown.to(known.dtype)], dim=1))
        return logits
