"""Efficient multi-scale attention (EMA, 2305.13563), without moving groups into the batch.

The paper's layers work on every group of channels alike. Here each is one grouped layer over all channels, whose
weights are the same in every group: the same numbers, in a form that runtimes without a batch take, too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .coordinate import strips
from .folding import Foldable
from .geometry import require_divisible, require_positive, same_padding
from .registry import part, register


@part
class SharedConv(nn.Conv2d):
    """A k×k convolution of c / g channels, the same for each of the g groups.

    Shape: (B, c, H, W) → the same.
    """

    def __init__(self, c: int, k: int, g: int) -> None:
        super().__init__(c // g, c // g, k, padding=same_padding(k))
        self.shared = g
        self.shown = f"{k}×{k}, the same in {g} groups"

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight.repeat(self.shared, 1, 1, 1), self._bias().repeat(self.shared)
        return F.conv2d(x, weight, bias, padding=self.padding, groups=self.shared)

    def unshared(self) -> nn.Conv2d:
        """The same as one grouped convolution."""
        g, c, k = self.shared, self.shared * self.out_channels, self.kernel_size[0]
        conv = nn.Conv2d(c, c, k, padding=same_padding(k), groups=g).to(self.weight)
        conv.weight = nn.Parameter(self.weight.repeat(g, 1, 1, 1), requires_grad=False)
        conv.bias = nn.Parameter(self._bias().repeat(g), requires_grad=False)
        return conv

    def _bias(self) -> Tensor:
        assert self.bias is not None
        return self.bias


@part
class SharedNorm(nn.GroupNorm):
    """A norm of each map by itself, its weights the same for each of the g groups of channels.

    Shape: (B, c, H, W) → the same.
    """

    def __init__(self, c: int, g: int) -> None:
        super().__init__(c // g, c // g)
        self.shared = g
        self.shown = f"norm of each map, the same in {g} groups"

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight.repeat(self.shared), self.bias.repeat(self.shared)
        return F.group_norm(x, x.shape[1], weight, bias, self.eps)

    def unshared(self) -> nn.InstanceNorm2d:
        """The same as an instance norm, which exporters know best."""
        norm = nn.InstanceNorm2d(self.shared * self.num_channels, self.eps, affine=True).to(self.weight)
        norm.weight = nn.Parameter(self.weight.repeat(self.shared), requires_grad=False)
        norm.bias = nn.Parameter(self.bias.repeat(self.shared), requires_grad=False)
        return norm


@register(
    "same",
    gate=True,
    source="EMA, 2305.13563",
    example={"c1": 64},
    params="m = c1//g; 10*m**2 + 4*m",
)
class EMA(Foldable):
    """In each of g groups: a 1×1 branch gated by rows and columns, a 3×3 branch, each weighing the other's maps.

    Means of rows and of columns go through one shared 1×1 and a sigmoid each; a norm of single maps follows. The
    softmax over the pooled channels of one branch weighs the maps of the other; the two sums, through a sigmoid, gate
    the input.

    Shape: (B, c1, H, W) → the same. Source: EMA, 2305.13563.

    Weak: many small steps, some of them over the whole map, so that it is slower than its multiply-adds say. The norm
        stays in the deployed model and needs maps of more than one element. Channels must divide by g.
    Elsewhere: copies have 8 groups, as here, or 32 by default, under the same name: 10,368 or 672 parameters at 256
        channels. With as many groups as channels the softmax over a group is always 1.

    Raises:
        ValueError: a count below 1, or channels that do not divide into g groups.
    """

    def __init__(self, c1: int, g: int = 8) -> None:
        super().__init__()
        require_positive("EMA", c1=c1, g=g)
        require_divisible("EMA", g, c1=c1)
        self.g = g
        self.strip: nn.Module = SharedConv(c1, 1, g)
        self.norm: nn.Module = SharedNorm(c1, g)
        self.local: nn.Module = SharedConv(c1, 3, g)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        rows, columns = strips(x)
        y = self.strip(torch.cat([rows, columns.transpose(2, 3)], dim=2))
        rows, columns = y.split([h, w], dim=2)
        wide = self.norm(x * self.gate(rows) * self.gate(columns.transpose(2, 3)))
        near = self.local(x)
        grouped = (b, self.g, c // self.g, h * w)
        places = self._weights(wide) @ near.reshape(grouped) + self._weights(near) @ wide.reshape(grouped)
        return (x.reshape(grouped) * self.gate(places)).reshape(b, c, h, w)

    def _weights(self, maps: Tensor) -> Tensor:
        """The softmax over each group's channels, (B, g, 1, c / g)."""
        return self.pool(maps).reshape(maps.shape[0], self.g, 1, maps.shape[1] // self.g).softmax(-1)

    def fold(self) -> None:
        for name in ("strip", "norm", "local"):
            setattr(self, name, getattr(self, name).unshared())

    @property
    def is_folded(self) -> bool:
        return not isinstance(self.norm, SharedNorm)
