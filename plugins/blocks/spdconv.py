"""Space-to-depth convolution: downsampling that drops nothing (SPD-Conv, 2208.03641)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .activation import Act, activation
from .folding import Foldable, scale_and_shift
from .geometry import require_odd, require_positive, require_stride, same_padding
from .registry import register


@register(
    "conv",
    source="SPD-Conv, 2208.03641",
    example={"c1": 64, "c2": 128},
    params="4*k**2*c1*c2 + 2*c2",
)
class SPDConv(Foldable):
    """Each 2×2 pixels to 4 times the channels → k×k convolution at stride 1, batch norm, activation.

    In the place of a `Conv` of stride 2, whose row it reads like: `[c2, k, s]`. An odd height or width gets a row or
    column of zeros at its end. Fused, the two steps are one 2k×2k convolution of stride 2, with the same weights.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/2⌉, ⌈W/2⌉). Source: SPD-Conv, 2208.03641, figure 3.

    Weak: 4 times the weights and multiply-adds of the stride-2 convolution that it replaces. Unfused it does not run in
        NCNN, which has no slice with steps.
    Elsewhere: most copies are the same, without fusing, and refuse odd sizes; Ultralytics' `Focus` is the same as well.

    Raises:
        ValueError: a stride other than 2, an even kernel, or a count below 1.
    """

    def __init__(self, c1: int, c2: int, k: int = 3, s: int = 2, act: Act = "relu") -> None:
        super().__init__()
        require_positive("SPDConv", c1=c1, c2=c2)
        require_odd("SPDConv", k=k)
        require_stride("SPDConv", s, (2,))
        self.conv = nn.Conv2d(4 * c1, c2, k, padding=same_padding(k), bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(c2)  # an identity once fused
        self.act = activation(act)

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        if h % 2 or w % 2:
            x = nn.functional.pad(x, (0, w % 2, 0, h % 2))
        if not self.is_folded:
            quarters = [x[:, :, row::2, column::2] for column in (0, 1) for row in (0, 1)]  # the paper's order
            x = torch.cat(quarters, dim=1)
        return self.act(self.bn(self.conv(x)))

    def fold(self) -> None:
        scale, shift = scale_and_shift(self.bn)
        weight = self.conv.weight * scale.view(-1, 1, 1, 1)
        c2, c4, k, _ = weight.shape
        # (c2, column, row, c1, k, k) → (c2, c1, k, row, k, column): tap (i, j) of a quarter is tap (2i + row, 2j + …).
        spread = weight.view(c2, 2, 2, c4 // 4, k, k).permute(0, 3, 4, 2, 5, 1).reshape(c2, c4 // 4, 2 * k, 2 * k)
        self.conv = nn.Conv2d(c4 // 4, c2, 2 * k, 2, k - 1).to(weight)
        self.conv.weight = nn.Parameter(spread, requires_grad=False)
        self.conv.bias = nn.Parameter(shift, requires_grad=False)
        self.bn = nn.Identity()

    @property
    def is_folded(self) -> bool:
        return not isinstance(self.bn, nn.BatchNorm2d)
