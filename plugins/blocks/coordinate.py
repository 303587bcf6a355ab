"""Attention along height and width: coordinate attention (2103.02907) and efficient local attention (2403.01123).

`CoordAtt` has no biases, as its equations have none. `ELA` is the paper's ELA-B: no activation, 16 groups to a norm.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .conv import ConvBNAct
from .geometry import require_divisible, require_odd, require_positive, same_padding
from .registry import register


def strips(x: Tensor) -> tuple[Tensor, Tensor]:
    """Means along the width and along the height, (B, c, H, 1) and (B, c, 1, W)."""
    return x.mean(3, keepdim=True), x.mean(2, keepdim=True)


@register(
    "same",
    gate=True,
    source="CoordAtt, 2103.02907",
    example={"c1": 64},
    params="h = max(8, c1//r); 3*c1*h + 2*h",
)
class CoordAtt(nn.Module):
    """Means of rows and of columns → one 1×1 to max(8, c1 // r), BN, h-swish → a 1×1 and sigmoid each → multiply.

    Shape: (B, c1, H, W) → the same. Source: coordinate attention, 2103.02907.

    Weak: transposes and a concatenation of strips, which are small but many: on fast machines calls cost more than the
        sums. With 8 hidden channels at least, it is dear beside SE at few channels.
    Elsewhere: the authors' code has biases in all three 1×1; timm's `CoordAttn` has c1 / 24 hidden channels.

    Raises:
        ValueError: a count below 1.
    """

    def __init__(self, c1: int, r: int = 32) -> None:
        super().__init__()
        require_positive("CoordAtt", c1=c1, r=r)
        hidden = max(8, c1 // r)
        self.shared = ConvBNAct(c1, hidden, act="hardswish")
        self.rows = nn.Conv2d(hidden, c1, 1, bias=False)
        self.columns = nn.Conv2d(hidden, c1, 1, bias=False)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = strips(x)
        y = self.shared(torch.cat([rows, columns.transpose(2, 3)], dim=2))
        rows, columns = y.split([x.shape[2], x.shape[3]], dim=2)
        return x * self.gate(self.rows(rows)) * self.gate(self.columns(columns.transpose(2, 3)))


@register("same", gate=True, source="ELA, 2403.01123", example={"c1": 64}, params="2*c1*k + 4*c1")
class ELA(nn.Module):
    """Means of rows and of columns → depthwise convolution of k → norm of g groups → sigmoid → multiply.

    Shape: (B, c1, H, W) → the same. Source: efficient local attention, 2403.01123, as ELA-B.

    Weak: group norms stay in the deployed model, as they cannot be folded. Channels must divide by g.
    Elsewhere: timm's `EfficientLocalAttn` has a SiLU after the norm and one group; copies share one convolution
        between rows and columns, which halves the parameters.

    Raises:
        ValueError: a count below 1, an even kernel, or channels that do not divide into g groups.
    """

    def __init__(self, c1: int, k: int = 7, g: int = 16) -> None:
        super().__init__()
        require_positive("ELA", c1=c1, g=g)
        require_odd("ELA", k=k)
        require_divisible("ELA", g, c1=c1)
        padding = same_padding(k)
        self.rows = nn.Conv2d(c1, c1, (k, 1), padding=(padding, 0), groups=c1, bias=False)
        self.columns = nn.Conv2d(c1, c1, (1, k), padding=(0, padding), groups=c1, bias=False)
        self.row_norm = nn.GroupNorm(g, c1)
        self.column_norm = nn.GroupNorm(g, c1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = strips(x)
        rows = self.gate(self.row_norm(self.rows(rows)))
        return x * rows * self.gate(self.column_norm(self.columns(columns)))
