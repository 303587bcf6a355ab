"""GSConv and the slim neck made of it (Slim-neck by GSConv, 2206.02424).

The paper's code shuffles by moving the batch dimension, which exports with a fixed batch; ours reshapes channels alone,
to the same order: the even ones, then the odd ones. Its stage carries a 3×3 convolution that is never run; ours does
not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .activation import Act
from .composition import Choice
from .conv import ConvBNAct
from .geometry import require_number, require_positive
from .registry import register
from .shuffle import channel_shuffle
from .stages import C3


@register(
    "conv",
    source="GSConv, 2206.02424",
    example={"c1": 64, "c2": 128, "k": 3},
    params="h = c2//2; k**2*c1*h + cheap_k**2*h + 4*h",
)
class GSConv(nn.Module):
    """Half of the maps from a k×k convolution, the others from a depthwise one over them → concatenate → shuffle.

    The depthwise kernel is `cheap_k`, 5 in the paper's code.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: GSConv, 2206.02424, figure 4.

    Weak: the shuffle moves every element, the depthwise 5×5 is bound by memory: its authors promise no speed, and use
        it in the neck alone, where maps are small.
    Elsewhere: the paper's code has SiLU or Mish and moves the batch dimension to shuffle, equal at any batch in torch,
        not in an export with a free one.

    Raises:
        ValueError: an odd c2, an even kernel, or a count below 1.
    """

    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1, cheap_k: int = 5, act: Act = "relu") -> None:
        super().__init__()
        require_positive("GSConv", c1=c1, c2=c2)
        if c2 % 2:
            raise ValueError(f"GSConv: c2={c2} has no halves; use {c2 - 1 or 2} or {c2 + 1}")
        self.pairs = c2 // 2
        self.dense = ConvBNAct(c1, self.pairs, k, s, act=act)
        self.cheap = ConvBNAct(self.pairs, self.pairs, cheap_k, g=self.pairs, act=act)

    def forward(self, x: Tensor) -> Tensor:
        dense = self.dense(x)
        return channel_shuffle(torch.cat([dense, self.cheap(dense)], dim=1), self.pairs)


@register(
    "conv",
    stands_for=("bottleneck",),
    source="GSConv, 2206.02424",
    example={"c1": 64, "c2": 64},
    params="m = int(c2*e); c1*m//2 + k**2*m*c2//2 + 29*(m + c2)//2 + c1*c2 + 2*c2",
)
class GSBottleneck(nn.Module):
    """1×1 GSConv to ⌊c2·e⌋ → 3×3 GSConv, no activation → add a 1×1 convolution of the input, no activation.

    Shape: (B, c1, H, W) → (B, c2, H, W). Source: GSConv, 2206.02424, figure 5.

    Weak: as `GSConv`, twice.
    Elsewhere: the paper's code has e = 0.5 by default and uses it with 1.0, as here.

    Raises:
        ValueError: as `GSConv`, or e that leaves no hidden channels.
    """

    def __init__(self, c1: int, c2: int, k: int = 3, e: float = 1.0, act: Act = "relu") -> None:
        super().__init__()
        require_positive("GSBottleneck", c1=c1, c2=c2)
        require_number("GSBottleneck", e=e)
        if int(c2 * e) < 1:
            raise ValueError(f"GSBottleneck: c2={c2} with e={e} leaves no hidden channels")
        self.cv1 = GSConv(c1, int(c2 * e), act=act)
        self.cv2 = GSConv(int(c2 * e), c2, k, act="identity")
        self.shortcut = ConvBNAct(c1, c2, act="identity")

    def forward(self, x: Tensor) -> Tensor:
        return self.cv2(self.cv1(x)) + self.shortcut(x)


@register(
    "stage",
    source="GSConv, 2206.02424",
    example={"c1": 128, "c2": 128},
    params="c = int(c2*e); 2*c1*c + 4*c + 2*c*c2 + 2*c2 + n*(6*c**2 + 31*c)",
)
class VoVGSCSP(C3):
    """n GS bottlenecks in a chain after one 1×1 conv, another 1×1 conv beside them, concatenated, 1×1 conv.

    Shape: (B, c1, H, W) → (B, c2, H, W). Source: GSConv, 2206.02424, figure 6.

    Weak: as `GSConv`.
    Elsewhere: the paper's code, and most copies of it, carry a 3×3 convolution `res` that forward never runs, 9·(c2·e)²
        weights that are trained by nothing.

    Raises:
        ValueError: as `C3` and `GSBottleneck`.
    """

    def __init__(self, c1: int, c2: int, n: int = 1, e: float = 0.5, act: Act = "silu") -> None:
        super().__init__(c1, c2, n, True, Choice(GSBottleneck), e=e, act=act)
