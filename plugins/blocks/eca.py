"""Efficient channel attention (ECA-Net, 1910.03151): each channel's weight from its neighbours' means."""

from __future__ import annotations

import math

from torch import Tensor, nn

from .geometry import require_odd, require_positive, same_padding
from .registry import register


@register(
    "same",
    gate=True,
    source="ECA-Net, 1910.03151",
    example={"c1": 128},
    params="t = int((log2(c1) + 1) / 2); k or max(3, t + 1 - t % 2)",
)
class ECA(nn.Module):
    """Pool → one convolution of k neighbouring channels → sigmoid → multiply; without `k` it follows from c1.

    Then k is (log2(c1) + 1) / 2, rounded down and to the next odd number, and 3 at least.

    Shape: (B, c1, H, W) → the same. Source: ECA-Net, 1910.03151.

    Weak: which channels are neighbours is chance, and it reaches k of them; it weighs channels alone, not places.
    Elsewhere: timm's `EcaModule` without `channels`, and many copies, have k = 3 at any width.

    Raises:
        ValueError: a count below 1, or an even kernel.
    """

    def __init__(self, c1: int, k: int | None = None) -> None:
        super().__init__()
        require_positive("ECA", c1=c1)
        if k is None:
            half = int((math.log2(c1) + 1) / 2)
            k = max(3, half + 1 - half % 2)
        require_odd("ECA", k=k)
        self.pool = nn.AdaptiveAvgPool2d(1)
        # Two-dimensional, since exporters and runtimes know that best; the other side is 1.
        self.conv = nn.Conv2d(1, 1, (k, 1), padding=(same_padding(k), 0), bias=False)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        channels = self.pool(x).transpose(1, 2)
        return x * self.gate(self.conv(channels).transpose(1, 2))
