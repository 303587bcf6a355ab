"""The case table: every block with arguments, and what must come out. A new block needs a row here, and no test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import yolo_plugins as yp
from torch import nn


class Split(nn.Module):
    """One map, of the channels of several, for a block that takes these."""

    def __init__(self, block: nn.Module, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.block, self.channels = block, channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(list(x.split(self.channels, dim=1)))


@dataclass(frozen=True)
class Case:
    """A block to build, the channels it takes and gives, its stride, and its parameter count by formula.

    Of a block that takes several maps, `c1` has the channels of each; they come as one map, split before it.
    """

    build: Callable[..., nn.Module]
    args: tuple[Any, ...]
    c1: int | tuple[int, ...]
    c2: int
    params: int
    s: float = 1
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> nn.Module:
        block = self.build(*self.args, **self.options)
        return block if isinstance(self.c1, int) else Split(block, self.c1)

    @property
    def channels(self) -> int:
        return self.c1 if isinstance(self.c1, int) else sum(self.c1)

    @property
    def id(self) -> str:
        named = [f"{k}={v}" for k, v in self.options.items()]
        return f"{self.build.__name__}({', '.join(map(str, [*self.args, *named]))})"


def randomise(module: nn.Module) -> nn.Module:
    """The module in eval mode, with batch-norm statistics that are not the initial ones."""
    torch.manual_seed(0)
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.weight, 0.5, 1.5)
            nn.init.normal_(m.bias)
            m.running_mean.normal_()
            m.running_var.uniform_(0.5, 2)
    return module.eval()


def conv_bn(c1: int, c2: int, k: int = 1, g: int = 1) -> int:
    """Parameters of a convolution without bias and its batch norm."""
    return c1 // g * c2 * k * k + 2 * c2


def shsa(c: int) -> int:
    return conv_bn(c // 4, 2 * 16 + c // 4) + conv_bn(c, c)


def ghost(c1: int, c2: int, k: int = 1, ratio: int = 2, cheap_k: int = 3) -> int:
    m = -(-c2 // ratio)
    return conv_bn(c1, m, k) + conv_bn(m, m * (ratio - 1), cheap_k, m)


def gate(c: int, hidden: int) -> int:
    """Parameters of a gate with biases; none where it has no hidden channels."""
    return 2 * c * hidden + c + hidden if hidden else 0


def ghost_bottleneck(c1: int, c2: int, mid: int, k: int, s: int, se: int = 0) -> int:
    main = ghost(c1, mid) + ghost(mid, c2) + gate(mid, se) + (conv_bn(mid, mid, k, mid) if s > 1 else 0)
    return main + (0 if s == 1 and c1 == c2 else separable(c1, c2, k))


def dfc(c1: int, c2: int, k: int = 1) -> int:
    """Parameters of GhostNetV2's attention."""
    return conv_bn(c1, c2, k) + 2 * (5 * c2 + 2 * c2)


def repghost(c1: int, c2: int, k: int = 1, cheap_k: int = 3) -> int:
    return conv_bn(c1, c2, k) + conv_bn(c2, c2, cheap_k, c2) + 2 * c2


def separable(c1: int, c2: int, k: int = 3) -> int:
    return conv_bn(c1, c1, k, c1) + conv_bn(c1, c2)


def shuffle_unit(c1: int, c2: int, s: int, g: int, first: bool = True) -> int:
    mid, branch = c2 // 4, c2 if s == 1 else c2 - c1
    return conv_bn(c1, mid, 1, g if first else 1) + conv_bn(mid, mid, 3, mid) + conv_bn(mid, branch, 1, g)


def inverted(c1: int, c2: int, mid: int, k: int, se: int = 0) -> int:
    return (conv_bn(c1, mid) if mid != c1 else 0) + conv_bn(mid, mid, k, mid) + gate(mid, se) + conv_bn(mid, c2)


def c2f(c1: int, c2: int, n: int, inner: int, outer: Callable[[int, int], int] = conv_bn) -> int:
    c = c2 // 2
    return outer(c1, 2 * c) + outer((2 + n) * c, c2) + n * inner


def c3(c1: int, c2: int, n: int, inner: int) -> int:
    c = c2 // 2
    return 2 * conv_bn(c1, c) + conv_bn(2 * c, c2) + n * inner


def faster(c: int, k: int = 3, part: int = 4, expand: int = 2) -> int:
    return (c // part) ** 2 * k * k + 2 * expand * c * c + 2 * expand * c


def star(c: int, expand: int = 4, k: int = 7) -> int:
    """Two depthwise and three pointwise layers, all with biases; batch norm after the first and the last but one."""
    return 2 * (c * k * k + c) + 2 * (c * expand * c + expand * c) + expand * c * c + c + 2 * 2 * c


def uib(c1: int, c2: int, mid: int, start: int = 3, middle: int = 3) -> int:
    first = conv_bn(c1, c1, start, c1) if start else 0
    return first + conv_bn(c1, mid) + (conv_bn(mid, mid, middle, mid) if middle else 0) + conv_bn(mid, c2)


def repvit(c: int, k: int = 3, expand: int = 2, se: int = 0) -> int:
    mixer = conv_bn(c, c, k, c) + 2 * c + 2 * c  # a 1×1 depthwise with bias, and the batch norm of the sum
    return mixer + gate(c, se) + conv_bn(c, expand * c) + conv_bn(expand * c, c)


def shuffle_v2(c1: int, c2: int, s: int = 1, k: int = 3) -> int:
    half = c2 // 2
    branch = conv_bn(half if s == 1 else c1, half) + conv_bn(half, half, k, half) + conv_bn(half, half)
    return branch + (separable(c1, half, k) if s > 1 else 0)


def gsconv(c1: int, c2: int, k: int = 1, cheap_k: int = 5) -> int:
    return conv_bn(c1, c2 // 2, k) + conv_bn(c2 // 2, c2 // 2, cheap_k, c2 // 2)


def carafe(c: int, scale: int = 2, k: int = 5, enc_k: int = 3, mid: int = 64) -> int:
    return conv_bn(c, mid) + conv_bn(mid, (scale * k) ** 2, enc_k)


def gs_bottleneck(c1: int, c2: int, hidden: int, k: int = 3) -> int:
    return gsconv(c1, hidden) + gsconv(hidden, c2, k) + conv_bn(c1, c2)


C2F_OF_GATED_GHOSTS = c2f(8, 16, 1, ghost_bottleneck(8, 8, 4, 3, 1) + 2 * 8 * 4, ghost)
C2F_OF_GATED_GHOSTS_V2 = c2f(8, 16, 1, ghost_bottleneck(8, 8, 4, 3, 1) + dfc(8, 4) + 2 * 8 * 4 + 2 * 49 + 2, ghost)
CASES = [
    Case(yp.ConvBNAct, (8, 16), 8, 16, conv_bn(8, 16)),
    Case(yp.ConvBNAct, (8, 16, 3, 2), 8, 16, conv_bn(8, 16, 3), s=2),
    Case(yp.ConvBNAct, (8, 16, 5, 1, 4, 2, "silu"), 8, 16, conv_bn(8, 16, 5, 4)),
    Case(yp.GroupConv, (8, 16, 3, 1, 4), 8, 16, conv_bn(8, 16, 3, 4)),
    Case(yp.GroupConv, (8, 8, 7, 2, 8), 8, 8, conv_bn(8, 8, 7, 8), s=2),
    Case(yp.DWConv, (8, 16), 8, 16, separable(8, 16)),
    Case(yp.DWConv, (8, 16, 5, 2, 3, "hardswish"), 8, 16, separable(8, 16, 5), s=2),
    Case(yp.GhostConv, (8, 16), 8, 16, ghost(8, 16)),
    Case(yp.GhostConv, (8, 15, 3, 2, 4, 5), 8, 15, ghost(8, 15, 3, 4, 5), s=2),
    Case(yp.GhostBottleneck, (8, 8, 16), 8, 8, ghost_bottleneck(8, 8, 16, 3, 1)),
    Case(yp.GhostBottleneck, (8, 12, 16, 5, 2, 0.25), 8, 12, ghost_bottleneck(8, 12, 16, 5, 2, 4), s=2),
    Case(yp.RepGhostConv, (8, 16), 8, 16, repghost(8, 16)),
    Case(yp.RepGhostConv, (8, 12, 3, 2, 5, "silu"), 8, 12, repghost(8, 12, 3, 5), s=2),
    Case(yp.ShuffleUnit, (24, 24), 24, 24, shuffle_unit(24, 24, 1, 3)),
    Case(yp.ShuffleUnit, (16, 48, 2, 4), 16, 48, shuffle_unit(16, 48, 2, 4), s=2),
    Case(yp.ShuffleUnit, (10, 24, 2, 2, False), 10, 24, shuffle_unit(10, 24, 2, 2, False), s=2),
    Case(yp.SE, (32,), 32, 32, 2 * 32 * 2),
    Case(yp.SE, (6, 16), 6, 6, 2 * 6 * 1),
    Case(yp.SqueezeExcite, (32,), 32, 32, 2 * 32 * 8 + 32 + 8),
    Case(yp.CBAM, (32,), 32, 32, 2 * 32 * 2 + 2 * 49 + 2),
    Case(yp.CBAM, (6, 4, 3), 6, 6, 2 * 6 * 1 + 2 * 9 + 2),
    Case(yp.ECA, (64,), 64, 64, 3),
    Case(yp.ECA, (10, 5), 10, 10, 5),
    Case(yp.SimAM, (8,), 8, 8, 0),
    Case(yp.CoordAtt, (32,), 32, 32, conv_bn(32, 8) + 2 * 8 * 32),
    Case(yp.CoordAtt, (18, 2), 18, 18, conv_bn(18, 9) + 2 * 9 * 18),
    Case(yp.ELA, (32,), 32, 32, 2 * 32 * 7 + 4 * 32),
    Case(yp.ELA, (6, 3, 3), 6, 6, 2 * 6 * 3 + 4 * 6),
    Case(yp.EMA, (32,), 32, 32, 10 * 4**2 + 4 * 4),
    Case(yp.EMA, (6, 2), 6, 6, 10 * 3**2 + 4 * 3),
    Case(yp.LSKA, (8,), 8, 8, 2 * 8 * (3 + 5) + 8**2),
    Case(yp.LSKA, (8, 23, 3), 8, 8, 2 * 8 * (5 + 7) + 8**2),
    Case(yp.GhostConvV2, (8, 16), 8, 16, ghost(8, 16) + dfc(8, 16)),
    Case(yp.GhostConvV2, (8, 15, 3, 2, 4, 5), 8, 15, ghost(8, 15, 3, 4, 5) + dfc(8, 15, 3), s=2),
    Case(yp.GhostBottleneckV2, (8, 8, 16), 8, 8, ghost_bottleneck(8, 8, 16, 3, 1) + dfc(8, 16)),
    Case(yp.GhostBottleneckV2, (8, 12, 16, 5, 2, 0.25), 8, 12, ghost_bottleneck(8, 12, 16, 5, 2, 4) + dfc(8, 16), s=2),
    Case(yp.C2f, (8, 16, 1, True, "GhostBottleneckV2", "CBAM(r=2)"), 8, 16, C2F_OF_GATED_GHOSTS_V2),
    Case(yp.InvertedResidual, (8, 8), 8, 8, inverted(8, 8, 32, 3)),
    Case(yp.InvertedResidual, (8, 16, 2, 3.0, 5, 0.25), 8, 16, inverted(8, 16, 24, 5, 8), s=2),
    Case(yp.InvertedResidual, (8, 8, 1, 1), 8, 8, inverted(8, 8, 8, 3)),
    Case(yp.HSwish, (), 8, 8, 0),
    Case(yp.C2f, (8, 16, 2, True), 8, 16, c2f(8, 16, 2, 2 * conv_bn(8, 8, 3))),
    Case(yp.C2f, (8, 16, 1, True, "DWConv(d=2)", "SE(r=2)"), 8, 16, c2f(8, 16, 1, 2 * separable(8, 8) + 2 * 8 * 4)),
    Case(yp.C2f, (8, 16, 1, True, "GhostBottleneck", "SE(r=2)"), 8, 16, C2F_OF_GATED_GHOSTS),
    Case(yp.C3, (8, 16, 2), 8, 16, c3(8, 16, 2, conv_bn(8, 8) + conv_bn(8, 8, 3))),
    Case(yp.C3k2, (8, 16, 2), 8, 16, c2f(8, 16, 2, conv_bn(8, 4, 3) + conv_bn(4, 8, 3))),
    Case(yp.C3k2, (8, 16, 1, True, "ShuffleUnit(g=1)"), 8, 16, c2f(8, 16, 1, c3(8, 8, 2, shuffle_unit(4, 4, 1, 1)))),
    Case(yp.C2fGhost, (8, 16, 2, True), 8, 16, c2f(8, 16, 2, ghost_bottleneck(8, 8, 4, 3, 1), ghost)),
    Case(yp.C2fDW, (8, 16, 2, True, 3), 8, 16, c2f(8, 16, 2, 2 * separable(8, 8))),
    Case(yp.C2fShuffle, (8, 16, 2, False, 2), 8, 16, c2f(8, 16, 2, shuffle_unit(8, 8, 1, 2))),
    Case(yp.C2fSE, (8, 16, 2, True, 1), 8, 16, c2f(8, 16, 2, 2 * conv_bn(8, 8, 3) + 2 * 8 * 8)),
    Case(yp.PConv, (8,), 8, 8, 2 * 2 * 9),
    Case(yp.PConv, (6, 5, 1.0), 6, 6, 6 * 6 * 25),
    Case(yp.FasterBlock, (16, 16), 16, 16, faster(16)),
    Case(yp.FasterBlock, (8, 8, 5, 0.5, 3.0, False, "silu"), 8, 8, faster(8, 5, 2, 3)),
    Case(yp.C2f, (8, 16, 2, True, "FasterBlock", "SE(r=2)"), 8, 16, c2f(8, 16, 2, faster(8) + 2 * 8 * 4)),
    Case(yp.StarBlock, (8, 8), 8, 8, star(8)),
    Case(yp.StarBlock, (6, 6, 3.0, 5, False, "silu"), 6, 6, star(6, 3, 5)),
    Case(yp.C3, (8, 16, 1, True, "StarBlock", "SE(r=2)"), 8, 16, c3(8, 16, 1, star(8) + 2 * 8 * 4)),
    Case(yp.UIB, (8, 8), 8, 8, uib(8, 8, 32)),
    Case(yp.UIB, (8, 12, 2, 3.0, 5, 0), 8, 12, uib(8, 12, 24, 5, 0), s=2),
    Case(yp.UIB, (8, 12, 2, 3.0, 0, 5), 8, 12, uib(8, 12, 24, 0, 5), s=2),
    Case(yp.UIB, (8, 8, 1, 2.0, 0, 0, False, "silu"), 8, 8, uib(8, 8, 16, 0, 0)),
    Case(yp.C3k2, (8, 16, 2, False, "UIB", "SE(r=2)"), 8, 16, c2f(8, 16, 2, uib(8, 8, 32) + 2 * 8 * 4)),
    Case(yp.RepViTBlock, (8, 8), 8, 8, repvit(8)),
    Case(yp.RepViTBlock, (24, 24, 5, 0.25, 3.0, "relu"), 24, 24, repvit(24, 5, 3, 8)),
    Case(yp.C2f, (8, 16, 1, True, "RepViTBlock", "SE(r=2)"), 8, 16, c2f(8, 16, 1, repvit(8) + 2 * 8 * 4)),
    Case(yp.ShuffleUnitV2, (8, 8), 8, 8, shuffle_v2(8, 8)),
    Case(yp.ShuffleUnitV2, (7, 12, 2, 5, "silu"), 7, 12, shuffle_v2(7, 12, 2, 5), s=2),
    Case(yp.C3k2, (8, 16, 1, True, "ShuffleUnitV2"), 8, 16, c2f(8, 16, 1, c3(8, 8, 2, shuffle_v2(4, 4)))),
    Case(yp.GSConv, (8, 12), 8, 12, gsconv(8, 12)),
    Case(yp.GSConv, (8, 12, 3, 2, 3, "silu"), 8, 12, gsconv(8, 12, 3, 3), s=2),
    Case(yp.GSBottleneck, (8, 12), 8, 12, gs_bottleneck(8, 12, 12)),
    Case(yp.GSBottleneck, (8, 8, 5, 0.5), 8, 8, gs_bottleneck(8, 8, 4, 5)),
    Case(yp.VoVGSCSP, (8, 16, 2), 8, 16, c3(8, 16, 2, gs_bottleneck(8, 8, 8))),
    Case(yp.SPDConv, (8, 16), 8, 16, 4 * 9 * 8 * 16 + 2 * 16, s=2),
    Case(yp.SPDConv, (3, 8, 5, 2, "silu"), 3, 8, 4 * 25 * 3 * 8 + 2 * 8, s=2),
    Case(yp.DySample, (8,), 8, 8, 32 * 8 + 32, s=1 / 2),
    Case(yp.DySample, (6, 3, 2), 6, 6, 2 * 2 * 9 * (6 + 1), s=1 / 3),
    Case(yp.CARAFE, (6, 3, 3, 1, 8), 6, 6, carafe(6, 3, 3, 1, 8), s=1 / 3),
    Case(yp.CARAFE, (8,), 8, 8, 64 * 8 + 57_928, s=1 / 2),
    Case(yp.WeightedSum, ([8, 6], 8), (8, 6), 8, 2 + conv_bn(6, 8)),
    Case(yp.WeightedSum, ([6, 8, 12], 16), (6, 8, 12), 16, 3 + conv_bn(6, 16) + conv_bn(8, 16) + conv_bn(12, 16)),
    Case(yp.RepGhostStage, (8, 16, 2), 8, 16, repghost(8, 16, cheap_k=5) + repghost(16, 16, cheap_k=5)),
    Case(yp.RepGhostStage, (8, 8, 1, 3), 8, 8, repghost(8, 8)),
    Case(yp.SHSA, (64,), 64, 64, conv_bn(16, 2 * 16 + 16) + conv_bn(64, 64)),
    Case(yp.SHSA, (8, 2, 4, 2), 8, 8, conv_bn(4, 2 * 4 + 4) + conv_bn(4, 4, 3, 4) + conv_bn(8, 8)),
    Case(yp.RepGhostAttention, (8, 16, 2, 3), 8, 16, repghost(8, 16) + repghost(16, 16) + 2 * shsa(16)),
    Case(
        yp.RepGhostAttention,
        (8, 8),
        8,
        8,
        repghost(8, 8, cheap_k=5) + shsa(8) + conv_bn(2, 2, 3, 2),
        options={"pool": 2},
    ),
    Case(yp.GhostNetStage, (24, 3), 24, 40, ghost_bottleneck(24, 40, 72, 5, 2, 20), s=2),
    Case(yp.ShuffleNetV1Stage, (240, 5), 240, 480, shuffle_unit(240, 480, 2, 3), s=2),
    Case(yp.ShuffleNetV1Stage, (12, 2, 1, 0.5), 12, 12, 0),
    Case(yp.MobileNetV3Stage, (24, 3), 24, 40, inverted(24, 40, 72, 5, 24), s=2),
]
