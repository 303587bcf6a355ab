"""Convolutional block attention (CBAM, 1807.06521): which channels count, then which places.

As in the paper: the channel gate's layers have no biases, the spatial gate's convolution has a batch norm.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .conv import ConvBNAct
from .geometry import require_odd, require_positive
from .registry import register


@register(
    "same",
    gate=True,
    source="CBAM, 1807.06521",
    example={"c1": 64},
    params="h = max(1, c1//r); 2*c1*h + 2*k**2 + 2",
)
class CBAM(nn.Module):
    """Channel gate by a shared MLP on average- and max-pooled maps, then a k×k spatial gate over [mean, max].

    The MLP is fc c1→max(1, c1 // r) → ReLU → fc; both of its outputs are summed before the sigmoid.

    Shape: (B, c1, H, W) → the same. Source: CBAM, 1807.06521, equations 2 and 3.

    Weak: one gate after the other, and four poolings, cost time where the maps are large, though next to no
        multiply-adds. Below 2·r channels the MLP has a single hidden channel.
    Elsewhere: Ultralytics' class of this name has no MLP and no max pooling in its channel gate (one biased 1×1
        convolution, c1² + c1 parameters), no batch norm in its spatial gate, and cannot be named in a YAML. timm's
        `CbamModule` rounds c1 / r, which here is rounded down.

    Raises:
        ValueError: a count below 1, or an even kernel.
    """

    def __init__(self, c1: int, r: int = 16, k: int = 7) -> None:
        super().__init__()
        require_positive("CBAM", c1=c1, r=r)
        require_odd("CBAM", k=k)
        hidden = max(1, c1 // r)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.max = nn.AdaptiveMaxPool2d(1)
        self.mlp = nn.Sequential(nn.Conv2d(c1, hidden, 1, bias=False), nn.ReLU(), nn.Conv2d(hidden, c1, 1, bias=False))
        self.spatial = ConvBNAct(2, 1, k, act="identity")
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        # Both pooled maps in one pass of the MLP, one below the other.
        channels = self.mlp(torch.cat([self.mean(x), self.max(x)], dim=2)).sum(2, keepdim=True)
        x = x * self.gate(channels)
        places = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        return x * self.gate(self.spatial(places))
