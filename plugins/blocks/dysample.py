"""Upsampling that learns where to sample (DySample, 2308.15085)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from .geometry import require_divisible, require_positive
from .registry import register


@register(
    "same",
    stands_for=("up",),
    source="DySample, 2308.15085",
    example={"c1": 64},
    params="2*g*scale**2*(c1 + 1)",
)
class DySample(nn.Module):
    """A 1×1 convolution says how far from its bilinear place each new pixel is sampled, a quarter of a pixel to a unit.

    In the place of `nn.Upsample`: the paper's form "LP" with a static scope; the g groups of channels are sampled at
    places of their own. Its only operation beside the convolution is `grid_sample`, in ONNX from opset 16 on.

    Shape: (B, c1, H, W) → (B, c1, scale·H, scale·W). Source: DySample, 2308.15085, equations 2–5.

    Weak: random access to memory, where nearest upsampling copies; in float16 places on a map of 80 are up to 0.02
        pixels off.
    Elsewhere: the paper's code offers the form "PL" and a learned scope, too; it samples all groups as images of one
        batch, ours each by itself, so that the batch stays what it is.

    Raises:
        ValueError: a count below 1, or channels that do not divide into g groups.
    """

    def __init__(self, c1: int, scale: int = 2, g: int = 4) -> None:
        super().__init__()
        require_positive("DySample", c1=c1, scale=scale, g=g)
        require_divisible("DySample", g, c1=c1)
        self.scale, self.g = scale, g
        self.offset = nn.Conv2d(c1, 2 * g * scale**2, 1)
        nn.init.normal_(self.offset.weight, std=0.001)
        nn.init.zeros_(cast("Tensor", self.offset.bias))

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        offset = nn.functional.pixel_shuffle(self.offset(x), self.scale)  # x of all groups, then y of all
        place = _centres(w * self.scale, x).view(1, 1, 1, -1), _centres(h * self.scale, x).view(1, 1, -1, 1)
        across = place[0] + offset[:, : self.g] * (0.25 * 2 / w)
        down = place[1] + offset[:, self.g :] * (0.25 * 2 / h)
        maps = [
            nn.functional.grid_sample(
                group, torch.stack([across[:, i], down[:, i]], dim=-1), padding_mode="border", align_corners=False
            )
            for i, group in enumerate(x.chunk(self.g, dim=1))
        ]
        return torch.cat(maps, dim=1)


def _centres(n: int, like: Tensor) -> Tensor:
    """Centres of n pixels, the borders being −1 and 1."""
    return ((torch.arange(n, device=like.device, dtype=torch.float) * 2 + 1) / n - 1).to(like.dtype)
