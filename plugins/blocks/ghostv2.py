"""Ghost module and bottleneck with DFC attention (GhostNetV2, 2211.12905)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .activation import Act
from .conv import INITIAL_STD, ConvBNAct
from .geometry import same_padding
from .ghost import BOTTLENECK_PARAMS, GhostBottleneck, GhostConv
from .registry import part, register


@part
class StripConv(ConvBNAct):
    """Depthwise convolution with a kernel of k[0] rows and k[1] columns, and batch norm.

    Shape: (B, c, H, W) → the same.
    """

    def __init__(self, c: int, k: tuple[int, int]) -> None:
        super().__init__(c, c, g=c, act="identity")
        self.conv = nn.Conv2d(c, c, k, padding=(same_padding(k[0]), same_padding(k[1])), groups=c, bias=False)
        nn.init.normal_(self.conv.weight, std=INITIAL_STD)


@register(
    "conv",
    source="GhostNetV2, 2211.12905",
    example={"c1": 64, "c2": 128, "k": 3},
    params="m = ceil(c2/ratio); k**2*c1*m + 2*m + (cheap_k**2 + 2)*m*(ratio - 1) + k**2*c1*c2 + 16*c2",
)
class GhostConvV2(GhostConv):
    """Ghost module times DFC attention: k×k convolution, depthwise 1×5 and 5×1 on the halved map → sigmoid → doubled.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: GhostNetV2, 2211.12905.

    Weak: the attention's k×k convolution makes all c2 maps, on a quarter of the places: half as many multiply-adds as
        the Ghost module's own, but twice its weights, so that it has more parameters than a plain convolution.
    Elsewhere: timm's `GhostModuleV2` is the same.

    Raises:
        ValueError: as `GhostConv`.
    """

    def __init__(
        self, c1: int, c2: int, k: int = 1, s: int = 1, ratio: int = 2, cheap_k: int = 3, act: Act = "relu"
    ) -> None:
        super().__init__(c1, c2, k, s, ratio, cheap_k, act)
        self.attention = nn.Sequential(
            ConvBNAct(c1, c2, k, s, act="identity"), StripConv(c2, (1, 5)), StripConv(c2, (5, 1))
        )
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        maps = super().forward(x)
        halves = [2 if side > 1 else 1 for side in x.shape[2:]]
        weights = self.gate(self.attention(F.avg_pool2d(x, halves)))
        return maps * F.interpolate(weights, size=maps.shape[2:], mode="nearest")


@register(
    "conv",
    channels=("c2", "mid"),
    stands_for=("bottleneck",),
    outer=GhostConv,
    source="GhostNetV2, 2211.12905",
    example={"c1": 24, "c2": 40, "mid": 72, "k": 5, "s": 2, "se": 0.25},
    params=f"{BOTTLENECK_PARAMS} + c1*mid + 16*mid",
)
class GhostBottleneckV2(GhostBottleneck):
    """`GhostBottleneck` whose expanding Ghost module has DFC attention.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: GhostNetV2, 2211.12905.

    Weak: as `GhostConvV2`, at the block's widest place.
    Elsewhere: timm's `GhostBottleneck` with mode "attn" is the same; GhostNetV2 itself has it from the third block on.

    Raises:
        ValueError: as `GhostBottleneck`.
    """

    expanding = GhostConvV2
