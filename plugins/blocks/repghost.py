"""RepGhost module (2211.06088) and a stage of them.

A Ghost module whose cheap maps are added to the intrinsic ones, not concatenated: with batch norm on both branches in
training, one depthwise convolution once fused.
"""

from __future__ import annotations

from torch import Tensor, nn

from .activation import Act, activation
from .conv import ConvBNAct
from .folding import Foldable, rounds, scale_and_shift
from .geometry import require_odd, require_positive
from .registry import register


@register(
    "conv",
    source="RepGhost, 2211.06088",
    example={"c1": 64, "c2": 128, "k": 3},
    params="k**2*c1*c2 + (cheap_k**2 + 6)*c2",
)
class RepGhostConv(Foldable):
    """k×k convolution → cheap depthwise one with batch norm, plus its input with batch norm → activation.

    The cheap kernel is `cheap_k`, the paper's d. Fused, the sum is one depthwise convolution, but for one trained for 8
    bits: its filters have ranges of their own, which say nothing of the sum's.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: RepGhost, 2211.06088, figure 3.

    Weak: nothing is saved in multiply-adds beside a plain convolution of the same k, as all c2 maps come from it: it is
        meant for k = 1. Its 3×3 form is a training aid.
    Elsewhere: timm's `RepGhostModule` has the same branches.

    Raises:
        ValueError: an even kernel, or a count below 1.
    """

    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1, cheap_k: int = 3, act: Act = "relu") -> None:
        super().__init__()
        require_positive("RepGhostConv", c1=c1, c2=c2, s=s)
        require_odd("RepGhostConv", k=k, cheap_k=cheap_k)
        self.primary = ConvBNAct(c1, c2, k, s, act=act)
        self.cheap = ConvBNAct(c2, c2, cheap_k, g=c2, act="identity")
        self.skip: nn.BatchNorm2d | None = nn.BatchNorm2d(c2)  # none once fused
        self.act = activation(act)

    def forward(self, x: Tensor) -> Tensor:
        intrinsic = self.primary(x)
        maps = self.cheap(intrinsic)
        return self.act(maps if self.skip is None else maps + self.skip(intrinsic))

    def fold(self) -> None:
        if self.skip is None or rounds(self.cheap.conv):
            return
        scale, shift = scale_and_shift(self.skip)
        depthwise = self.cheap.conv
        middle = depthwise.kernel_size[0] // 2
        depthwise.weight[:, 0, middle, middle] += scale
        assert depthwise.bias is not None  # its own batch norm is folded by now
        depthwise.bias += shift
        self.skip = None

    @property
    def is_folded(self) -> bool:
        return self.skip is None or rounds(self.cheap.conv)


@register(
    "stage",
    source="RepGhost, 2211.06088",
    example={"c1": 64, "c2": 64},
    params="c1*c2 + (n - 1)*c2**2 + n*(cheap_k**2 + 6)*c2",
)
class RepGhostStage(nn.Module):
    """n RepGhost modules one after another, the first from c1 to c2 channels; each input of c2 channels is added.

    Nothing is split or concatenated: in a deployed runtime, copying maps costs as much as a convolution.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Weak: one depthwise layer sees less than the two 3×3 convolutions of a C2f, which is why it is 5×5 by default; what
        yolov8n-lite, made of these, makes of it is in docs/accuracy.md.

    Raises:
        ValueError: as `RepGhostConv`.
    """

    def __init__(self, c1: int, c2: int, n: int = 1, cheap_k: int = 5, act: Act = "relu") -> None:
        super().__init__()
        require_positive("RepGhostStage", c1=c1, c2=c2, n=n)
        self.m = nn.ModuleList(RepGhostConv(c2 if i else c1, c2, cheap_k=cheap_k, act=act) for i in range(n))
        self.add_first = c1 == c2

    def forward(self, x: Tensor) -> Tensor:
        for i, module in enumerate(self.m):
            y = module(x)
            x = x + y if i or self.add_first else y
        return x
