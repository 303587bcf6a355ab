"""Channel shuffle and the units built on it (ShuffleNet V1, 1707.01083; V2, 1807.11164)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .activation import Act, activation
from .conv import ConvBNAct
from .geometry import require_divisible, require_odd, require_positive, require_stride
from .registry import register


def channel_shuffle(x: Tensor, g: int) -> Tensor:
    """Interleave the channels of g groups: (B, g·n, H, W) → the same, channel i·n + j going to j·g + i.

    Reshape, swap, reshape: exporters turn an index list into a slow gather. Source: ShuffleNet, 1707.01083, figure 1.

    Raises:
        ValueError: the channels do not divide into g groups.
    """
    b, c, h, w = x.shape
    if g < 1 or c % g:
        raise ValueError(f"channel_shuffle: {c} channels cannot be divided into {g} groups")
    return x.view(b, g, c // g, h, w).transpose(1, 2).reshape(b, c, h, w)


def _saves(a: Mapping[str, Any]) -> float | None:
    """ShuffleNet, 1707.01083, section 3.2: 2·c·m/g + 9·m multiply-adds a pixel, m = c/4, at stride 1."""
    c, m = a["c2"], a["c2"] / 4
    return 9 * c * c / (2 * c * m / a["g"] + 9 * m) if a["s"] == 1 and a["group_first"] else None


@register(
    "conv",
    stands_for=("conv", "bottleneck"),
    source="ShuffleNet V1, 1707.01083",
    example={"c1": 240, "c2": 480, "s": 2},
    saves=_saves,
    params="m = c2//4; b = c2 if s == 1 else c2 - c1; c1*m//(g if group_first else 1) + 13*m + m*b//g + 2*b",
)
class ShuffleUnit(nn.Module):
    """1×1 grouped conv to c2/4 → shuffle → depthwise 3×3 → 1×1 grouped conv, with a shortcut around it.

    At stride 1 the shortcut is added; at stride 2 it is a 3×3 average pool of the input, concatenated, and the branch
    makes the other c2 − c1 maps. The depthwise layer has no activation. `group_first=False` is the paper's first unit,
    whose few input channels are not grouped; `shortcut=False` leaves out the sum at stride 1.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: ShuffleNet V1, 1707.01083, figure 2.

    Weak: the shuffle moves every element, and grouped 1×1 convolutions are slower than their multiply-adds say. c2/4
        must divide by g, so narrow stages leave few choices.
    Elsewhere: pytorchcv's `ShuffleUnit` is the same; Megvii's code concatenates the pool before the branch, so that its
        weights do not carry over. ShuffleNetV2's unit has no groups and splits its channels instead.

    Raises:
        ValueError: a stride other than 1 and 2, c1 ≠ c2 at stride 1, c2 ≤ c1 at stride 2, c2 not a multiple of 4, or
            c1, c2/4 or the branch's maps not divisible by g.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        s: int = 1,
        g: int = 3,
        group_first: bool = True,
        shortcut: bool = True,
        act: Act = "relu",
    ) -> None:
        super().__init__()
        require_positive("ShuffleUnit", c1=c1, c2=c2, g=g)
        require_stride("ShuffleUnit", s, (1, 2))
        if s == 1 and c1 != c2:
            raise ValueError(f"ShuffleUnit: at stride 1 the input is added, so c1={c1} and c2={c2} must be equal")
        if s == 2 and c2 <= c1:
            raise ValueError(f"ShuffleUnit: at stride 2 the input is concatenated, so c2={c2} must exceed c1={c1}")
        if c2 % 4:
            raise ValueError(f"ShuffleUnit: c2={c2} is not divisible by 4, the paper's bottleneck ratio")
        mid, branch = c2 // 4, c2 if s == 1 else c2 - c1
        grouped = {"c1": c1} if group_first else {}
        require_divisible("ShuffleUnit", g, **grouped, **{"c2/4": mid, "c2" if s == 1 else "c2-c1": branch})
        self.g, self.s, self.shortcut = g, s, shortcut
        self.reduce = ConvBNAct(c1, mid, g=g if group_first else 1, act=act)
        self.depthwise = ConvBNAct(mid, mid, 3, s, g=mid, act="identity")
        self.expand = ConvBNAct(mid, branch, g=g, act="identity")
        self.pool = nn.AvgPool2d(3, s, padding=1) if s == 2 else nn.Identity()
        self.act = activation(act)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(self.depthwise(channel_shuffle(self.reduce(x), self.g)))
        if self.s == 2:
            y = torch.cat([y, self.pool(x)], dim=1)
        elif self.shortcut:
            y = x + y
        return self.act(y)


@register(
    "conv",
    stands_for=("conv", "bottleneck"),
    source="ShuffleNet V2, 1807.11164",
    example={"c1": 64, "c2": 128, "s": 2},
    params="h = c2//2; (h if s == 1 else c1)*h + h**2 + k**2*h + 6*h + (k**2*c1 + 2*c1 + c1*h + 2*h if s == 2 else 0)",
)
class ShuffleUnitV2(nn.Module):
    """Split in halves → 1×1 → depthwise k×k, no activation → 1×1 on the second one → concatenate → shuffle.

    At stride 2 nothing is split: the branch takes the whole input, and beside it stands a depthwise k×k → 1×1.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: ShuffleNet V2, 1807.11164, figure 3.

    Weak: split, concatenation and shuffle move every element and compute nothing; half the channels pass unchanged.
    Elsewhere: torchvision's `InvertedResidual` of ShuffleNetV2 is the same; Megvii's own code shuffles by splitting the
        channels of the next unit, which exports as a slow gather.

    Raises:
        ValueError: a stride other than 1 and 2, an odd c2, c1 ≠ c2 at stride 1, an even kernel, or a count below 1.
    """

    def __init__(self, c1: int, c2: int, s: int = 1, k: int = 3, act: Act = "relu") -> None:
        super().__init__()
        require_positive("ShuffleUnitV2", c1=c1, c2=c2)
        require_odd("ShuffleUnitV2", k=k)
        require_stride("ShuffleUnitV2", s, (1, 2))
        if s == 1 and c1 != c2:
            raise ValueError(f"ShuffleUnitV2: at stride 1 half the input passes, so c1={c1} and c2={c2} must be equal")
        if c2 % 2:
            raise ValueError(f"ShuffleUnitV2: c2={c2} has no halves; use {c2 - 1 or 2} or {c2 + 1}")
        half = c2 // 2
        self.s = s
        self.beside = (
            nn.Identity()
            if s == 1
            else nn.Sequential(ConvBNAct(c1, c1, k, s, g=c1, act="identity"), ConvBNAct(c1, half, act=act))
        )
        self.reduce = ConvBNAct(half if s == 1 else c1, half, act=act)
        self.depthwise = ConvBNAct(half, half, k, s, g=half, act="identity")
        self.expand = ConvBNAct(half, half, act=act)

    def forward(self, x: Tensor) -> Tensor:
        kept, changed = x.chunk(2, dim=1) if self.s == 1 else (self.beside(x), x)
        y = self.expand(self.depthwise(self.reduce(changed)))
        return channel_shuffle(torch.cat([kept, y], dim=1), 2)
