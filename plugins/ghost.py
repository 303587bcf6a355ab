"""Ghost module and bottleneck (GhostNet, 1911.11907).

As in the paper, with its cheap 3×3 operation and ReLU. Ultralytics' `GhostConv` has a 5×5 one and SiLU.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .activation import Act
from .attention import SqueezeExcite
from .conv import ConvBNAct
from .geometry import require_odd, require_positive, require_stride


class GhostConv(nn.Module):
    """Ghost module: ⌈c2/ratio⌉ maps from a k×k convolution, the others from a cheap depthwise d×d one over them.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: GhostNet, 1911.11907, equations 1–3.

    Raises:
        ValueError: ratio below 2 or above both c2 and 16, an even kernel, or a count below 1.
    """

    row = "conv"

    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1, ratio: int = 2, d: int = 3, act: Act = "relu") -> None:
        super().__init__()
        require_positive("GhostConv", c1=c1, c2=c2, ratio=ratio)
        require_odd("GhostConv", k=k, d=d)
        if ratio < 2:
            raise ValueError(f"GhostConv: ratio={ratio} leaves no maps to the cheap operation; use 2 or more")
        if ratio > max(c2, 16):
            raise ValueError(f"GhostConv: ratio={ratio} makes more maps than c2={c2}; use {max(c2, 16)} or less")
        self.c2 = c2
        m = math.ceil(c2 / ratio)
        self.primary = ConvBNAct(c1, m, k, s, act=act)
        self.cheap = ConvBNAct(m, m * (ratio - 1), d, g=m, act=act)

    def forward(self, x: Tensor) -> Tensor:
        intrinsic = self.primary(x)
        maps = torch.cat([intrinsic, self.cheap(intrinsic)], dim=1)
        # Sliced only where needed: exporters keep a slice that does nothing.
        return maps if maps.shape[1] == self.c2 else maps[:, : self.c2]


class GhostBottleneck(nn.Module):
    """Ghost (expand to `mid`) → [depthwise k×k, stride 2] → [SE] → Ghost (project, no activation) → add.

    The shortcut is a depthwise k×k and a 1×1, each with batch norm, where the shape changes; `shortcut=False` leaves
    out the sum where it does not.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: GhostNet, 1911.11907, figure 3.

    Raises:
        ValueError: a stride other than 1 and 2, an even kernel, or a count below 1.
    """

    row = "conv"
    stands_for = ("bottleneck",)
    channels = ("c2", "mid")

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
        require_positive("GhostBottleneck", c1=c1, c2=c2, mid=mid)
        require_odd("GhostBottleneck", k=k)
        require_stride("GhostBottleneck", s, (1, 2))
        self.expand = GhostConv(c1, mid, act=act)
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
