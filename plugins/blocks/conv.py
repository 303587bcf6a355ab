"""Convolutions: the shared conv–BN–activation, grouped, and depthwise-separable with dilation.

Sources: AlexNet and ResNeXt (1611.05431) for groups; MobileNet (1704.04861) for depthwise-separable layers;
1511.07122 for dilation. Ultralytics' `DWConv` is only the depthwise half of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from .activation import Act, activation
from .folding import Foldable, folded
from .geometry import require_divisible, require_odd, require_positive, same_padding
from .registry import register

INITIAL_STD = 0.02
"""Standard deviation of new pointwise and grouped filters, that of a 3×3 convolution of 64 channels by torch's rule.

Batch norm takes the scale out of the output, so it only sets how far a step of the optimiser turns a filter. By torch's
rule a depthwise filter starts ten times larger, and with Adam learns ten times slower than its plain neighbours.
"""


@register(
    "conv",
    example={"c1": 64, "c2": 128, "k": 3},
    params="k**2*c1*c2//g + 2*c2",
)
class ConvBNAct(Foldable):
    """Convolution, batch norm, activation; every other block is composed of these.

    Padding follows from k and d, so H×W is kept at stride 1 and becomes ⌈H/s⌉ at stride s.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉).

    Weak: nothing is saved: at 3×3 it is what the other blocks are measured against. Runtimes know no layer better, so
        few lighter ones are faster on large maps.
    Elsewhere: Ultralytics' `Conv` is the same with SiLU and with its padding as an argument.

    Raises:
        ValueError: a count below 1, an even kernel, or channels that do not divide into g groups.
    """

    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1, g: int = 1, d: int = 1, act: Act = "relu") -> None:
        super().__init__()
        block = type(self).__name__
        require_positive(block, c1=c1, c2=c2, s=s, g=g, d=d)
        require_odd(block, k=k)
        require_divisible(block, g, c1=c1, c2=c2)
        self.conv = nn.Conv2d(c1, c2, k, s, same_padding(k, d), dilation=d, groups=g, bias=False)
        if k == 1 or g > 1:
            nn.init.normal_(self.conv.weight, std=INITIAL_STD)
        self.bn: nn.Module = nn.BatchNorm2d(c2)  # an identity once fused
        self.act = activation(act)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))

    def fold(self) -> None:
        self.conv = folded(self.conv, self.bn)
        self.bn = nn.Identity()  # in place of a new forward(), which would be pickled into checkpoints

    @property
    def is_folded(self) -> bool:
        return not isinstance(self.bn, nn.BatchNorm2d)


@register(
    "conv",
    source="ResNeXt, 1611.05431",
    example={"c1": 64, "c2": 128, "k": 3, "s": 1, "g": 4},
    saves=lambda a: float(a["g"]),
    params="k**2*c1*c2//g + 2*c2",
)
class GroupConv(ConvBNAct):
    """Grouped convolution, weights (c2, c1/g, k, k): g = 1 is the ordinary one, g = c1 = c2 the depthwise one.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: AlexNet; ResNeXt, 1611.05431.

    Weak: groups do not exchange anything: two in a row need a shuffle in between. In OpenVINO four groups were no
        faster than the plain convolution to stride 4 of yolov8n.
    Elsewhere: torchvision's and Ultralytics' convolutions take groups as an argument.

    Raises:
        ValueError: c1 or c2 does not divide by g, or as `ConvBNAct`.
    """

    def __init__(self, c1: int, c2: int, k: int = 3, s: int = 1, g: int = 2, act: Act = "relu") -> None:
        super().__init__(c1, c2, k, s, g, act=act)


def _separable_saves(a: Mapping[str, Any]) -> float:
    """MobileNet, 1704.04861, section 3.1: 1 / (1/N + 1/D²)."""
    return 1 / (1 / a["c2"] + 1 / a["k"] ** 2)


@register(
    "conv",
    source="MobileNet, 1704.04861",
    example={"c1": 64, "c2": 128, "d": 2},
    saves=_separable_saves,
    params="k**2*c1 + 2*c1 + c1*c2 + 2*c2",
)
class DWConv(nn.Module):
    """Depthwise-separable convolution: depthwise k×k with stride and dilation, then pointwise 1×1.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: MobileNet, 1704.04861.

    Weak: the depthwise half reads and writes whole maps for few multiply-adds, so on large maps it waits for memory: in
        the place of yolov8n's first convolution it was slower in ONNX Runtime. 8-bit weights per tensor suit it badly.
    Elsewhere: Ultralytics' `DWConv` is the depthwise half alone, with gcd(c1, c2) groups; torchvision's and timm's
        inverted residuals have it between two 1×1 convolutions.

    Raises:
        ValueError: as `ConvBNAct`.
    """

    def __init__(self, c1: int, c2: int, k: int = 3, s: int = 1, d: int = 1, act: Act = "relu") -> None:
        super().__init__()
        self.depthwise = ConvBNAct(c1, c1, k, s, g=c1, d=d, act=act)
        self.pointwise = ConvBNAct(c1, c2, act=act)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))
