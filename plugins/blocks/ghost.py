"""Ghost module and bottleneck (GhostNet, 1911.11907).

As in the paper, with its cheap 3×3 operation and ReLU. Ultralytics' `GhostConv` has a 5×5 one and SiLU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .activation import Act
from .attention import SqueezeExcite
from .conv import ConvBNAct
from .geometry import require_odd, require_positive, require_stride
from .registry import register


def _saves(a: Mapping[str, Any]) -> float:
    """GhostNet, 1911.11907, equation 4: s·c·k² / (c·k² + (s−1)·d²), d being the cheap operation's kernel."""
    weights = a["c1"] * a["k"] ** 2
    return a["ratio"] * weights / (weights + (a["ratio"] - 1) * a["cheap_k"] ** 2)


@register(
    "conv",
    source="GhostNet, 1911.11907",
    example={"c1": 64, "c2": 128, "k": 3},
    saves=_saves,
    params="m = ceil(c2/ratio); k**2*c1*m + 2*m + (cheap_k**2 + 2)*m*(ratio - 1)",
)
class GhostConv(nn.Module):
    """Ghost module: ⌈c2/ratio⌉ maps from a k×k convolution, the others from a cheap depthwise one over them.

    The cheap operation's kernel is `cheap_k`, the paper's d.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: GhostNet, 1911.11907, equations 1–3.

    Weak: its two parts run one after the other and are then copied together: at strides 2 and 4 it halves the
        multiply-adds and saves next to no time.
    Elsewhere: Ultralytics' `GhostConv` has a 5×5 cheap convolution, SiLU, ratio 2 and an even c2; timm's `GhostModule`
        is the same as here.

    Raises:
        ValueError: ratio below 2, an even kernel, or a count below 1.
    """

    def __init__(
        self, c1: int, c2: int, k: int = 1, s: int = 1, ratio: int = 2, cheap_k: int = 3, act: Act = "relu"
    ) -> None:
        super().__init__()
        require_positive("GhostConv", c1=c1, c2=c2, ratio=ratio)
        require_odd("GhostConv", k=k, cheap_k=cheap_k)
        if ratio < 2:
            raise ValueError(f"GhostConv: ratio={ratio} leaves no maps to the cheap operation; use 2 or more")
        self.c2 = c2
        m = math.ceil(c2 / ratio)
        self.primary = ConvBNAct(c1, m, k, s, act=act)
        self.cheap = ConvBNAct(m, m * (ratio - 1), cheap_k, g=m, act=act)

    def forward(self, x: Tensor) -> Tensor:
        intrinsic = self.primary(x)
        maps = torch.cat([intrinsic, self.cheap(intrinsic)], dim=1)
        # Sliced only where needed: exporters keep a slice that does nothing.
        return maps if maps.shape[1] == self.c2 else maps[:, : self.c2]


BOTTLENECK_PARAMS = (
    "m = ceil(mid/2); n = ceil(c2/2); h = make_divisible(mid*se, 4) if se else 0; c1*m + 13*m + mid*n"
    " + 13*n + (k**2*mid + 2*mid if s > 1 else 0) + (2*mid*h + mid + h if se else 0) + (k**2*c1 + 2*c1"
    " + c1*c2 + 2*c2 if s > 1 or c1 != c2 else 0)"
)


@register(
    "conv",
    channels=("c2", "mid"),
    stands_for=("bottleneck",),
    outer=GhostConv,
    source="GhostNet, 1911.11907",
    example={"c1": 24, "c2": 40, "mid": 72, "k": 5, "s": 2, "se": 0.25},
    params=BOTTLENECK_PARAMS,
)
class GhostBottleneck(nn.Module):
    """Ghost (expand to `mid`) → [depthwise k×k, stride 2] → [SE] → Ghost (project, no activation) → add.

    The shortcut is a depthwise k×k and a 1×1, each with batch norm, where the shape changes; `shortcut=False` leaves
    out the sum where it does not.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: GhostNet, 1911.11907, figure 3.

    Weak: four layers and two concatenations in the place of two convolutions: many small steps, for which a fast
        machine waits.
    Elsewhere: Ultralytics' `GhostBottleneck` takes c2 // 2 for `mid`, has no SE, adds its input unchanged at stride 1
        whatever the channels, and is made of Ultralytics' `GhostConv`; timm's is the same as here.

    Raises:
        ValueError: a stride other than 1 and 2, an even kernel, or a count below 1.
    """

    expanding: type[GhostConv] = GhostConv

    def __init__(
        self,
        c1: int,
        c2: int,
        mid: int,
        k: int = 3,
        s: int = 1,
        se: float = 0.0,
        shortcut: bool = True,
        act: Act = "relu",
    ) -> None:
        super().__init__()
        block = type(self).__name__
        require_positive(block, c1=c1, c2=c2, mid=mid)
        require_odd(block, k=k)
        require_stride(block, s, (1, 2))
        self.expand = self.expanding(c1, mid, act=act)
        self.depthwise = ConvBNAct(mid, mid, k, s, g=mid, act="identity") if s > 1 else nn.Identity()
        self.se = SqueezeExcite(mid, se, divisor=4) if se else nn.Identity()
        self.project = GhostConv(mid, c2, act="identity")
        same = s == 1 and c1 == c2
        self.add = shortcut or not same
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(ConvBNAct(c1, c1, k, s, g=c1, act="identity"), ConvBNAct(c1, c2, act="identity"))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.se(self.depthwise(self.expand(x))))
        return y + self.shortcut(x) if self.add else y
