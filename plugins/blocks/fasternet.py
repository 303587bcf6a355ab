"""Partial convolution and the block made of it (FasterNet, 2303.03667)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .activation import Act
from .conv import INITIAL_STD, ConvBNAct
from .geometry import require_number, require_odd, require_positive, require_same, same_padding
from .registry import register


@register("same", source="FasterNet, 2303.03667", example={"c1": 64}, params="k**2*int(c1*e)**2")
class PConv(nn.Module):
    """Partial convolution: k×k on the first ⌊c1·e⌋ channels, the others pass as they are; no batch norm.

    Shape: (B, c1, H, W) → the same. Source: FasterNet, 2303.03667, figure 4.

    Weak: it mixes no channels, so a 1×1 convolution must follow; e·c1 channels see the neighbourhood, the others never.
    Elsewhere: timm's `Partial_conv3` is the same; its `forward="slicing"` writes into a copy of the input.

    Raises:
        ValueError: a count below 1, an even kernel, e outside 0–1, or one that leaves no channel to convolve.
    """

    def __init__(self, c1: int, k: int = 3, e: float = 0.25) -> None:
        super().__init__()
        require_positive("PConv", c1=c1)
        require_odd("PConv", k=k)
        require_number("PConv", e=e)
        if not 0 < e <= 1 or int(c1 * e) < 1:
            raise ValueError(f"PConv: e={e!r} must take at least one of the c1={c1} channels, and at most all")
        c = int(c1 * e)
        self.split = (c, c1 - c)
        self.conv = nn.Conv2d(c, c, k, padding=same_padding(k), bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.split[1]:
            return self.conv(x)
        first, rest = x.split(self.split, dim=1)
        return torch.cat([self.conv(first), rest], dim=1)


@register(
    "conv",
    stands_for=("bottleneck",),
    source="FasterNet, 2303.03667",
    example={"c1": 64, "c2": 64},
    params="m = int(c1*expand); k**2*int(c1*e)**2 + 2*c1*m + 2*m",
)
class FasterBlock(nn.Module):
    """Partial k×k convolution on ⌊c1·e⌋ channels → 1×1 to ⌊c1·expand⌋ → 1×1 back, without batch norm → add.

    `shortcut=False` leaves out the sum.

    Shape: (B, c1, H, W) → (B, c2, H, W), c2 = c1. Source: FasterNet, 2303.03667, figure 4.

    Weak: the concatenation of convolved and untouched channels copies the whole map; fewer multiply-adds than time.
    Elsewhere: timm's `MLPBlock` of FasterNet is the same; the `Faster_Block` of YOLO copies puts a 1×1 convolution
        before it where c1 ≠ c2, and their `C2f_Faster` adds the input whatever the row's shortcut says.

    Raises:
        ValueError: c1 ≠ c2, expand that leaves no hidden channels, or as `PConv`.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        k: int = 3,
        e: float = 0.25,
        expand: float = 2.0,
        shortcut: bool = True,
        act: Act = "relu",
    ) -> None:
        super().__init__()
        mid = require_same("FasterBlock", c1, c2, expand)
        self.mix = PConv(c1, k, e)
        self.expand = ConvBNAct(c1, mid, act=act)
        self.project = nn.Conv2d(mid, c2, 1, bias=False)
        nn.init.normal_(self.project.weight, std=INITIAL_STD)
        self.add = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.expand(self.mix(x)))
        return x + y if self.add else y
