"""The case table: every block with arguments, and what must come out. A new block needs a row here, and no test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import yolo_plugins as yp
from torch import nn


@dataclass(frozen=True)
class Case:
    """A block to build, the channels it takes and gives, its stride, and its parameter count by formula."""

    build: Callable[..., nn.Module]
    args: tuple[Any, ...]
    c1: int
    c2: int
    params: int
    s: int = 1
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> nn.Module:
        return self.build(*self.args, **self.options)

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


C2F_OF_GATED_GHOSTS = c2f(8, 16, 1, ghost_bottleneck(8, 8, 4, 3, 1) + 2 * 8 * 4, ghost)
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
