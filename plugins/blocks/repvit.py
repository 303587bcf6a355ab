"""RepViT's block, whose parallel branches are one depthwise convolution once fused (RepViT, 2307.09283)."""

from __future__ import annotations

from torch import Tensor, nn

from .activation import Act
from .attention import SqueezeExcite
from .conv import INITIAL_STD, ConvBNAct
from .folding import Foldable, scale_and_shift
from .geometry import require_number, require_same
from .registry import part, register


@part
class RepMixer(Foldable):
    """Batch norm of the sum of a depthwise k×k with batch norm, a depthwise 1×1 with bias, and the input.

    Fused, it is one depthwise convolution.

    Shape: (B, c, H, W) → the same.
    """

    def __init__(self, c: int, k: int) -> None:
        super().__init__()
        self.depthwise = ConvBNAct(c, c, k, g=c, act="identity")
        self.pixelwise: nn.Conv2d | None = nn.Conv2d(c, c, 1, groups=c)  # none once fused, as bn
        nn.init.normal_(self.pixelwise.weight, std=INITIAL_STD)
        self.bn: nn.BatchNorm2d | None = nn.BatchNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x)
        return y if self.pixelwise is None or self.bn is None else self.bn(y + self.pixelwise(x) + x)

    def fold(self) -> None:
        if self.pixelwise is None or self.bn is None:
            return
        conv, scale, shift = self.depthwise.conv, *scale_and_shift(self.bn)
        middle = conv.kernel_size[0] // 2
        assert conv.bias is not None  # its own batch norm is folded by now
        assert self.pixelwise.bias is not None
        conv.weight[:, 0, middle, middle] += self.pixelwise.weight.flatten() + 1
        conv.weight *= scale.view(-1, 1, 1, 1)
        conv.bias.copy_((conv.bias + self.pixelwise.bias) * scale + shift)
        self.pixelwise = self.bn = None

    @property
    def is_folded(self) -> bool:
        return self.pixelwise is None


@register(
    "conv",
    stands_for=("bottleneck",),
    source="RepViT, 2307.09283",
    example={"c1": 64, "c2": 64},
    params="m = int(c1*expand); h = max(8, int(c1*se + 4)//8*8) if se else 0; "
    "k**2*c1 + 8*c1 + 2*c1*m + 2*m + (2*c1*h + c1 + h if se else 0)",
)
class RepViTBlock(nn.Module):
    """Depthwise k×k, 1×1 and identity in parallel → [SE] → 1×1 to ⌊c1·expand⌋ → 1×1 back → add; fused, one depthwise.

    `se` is the squeeze ratio of a gate with a sigmoid, 0 for none; the paper has it, at 0.25, in every other block.

    Shape: (B, c1, H, W) → (B, c2, H, W), c2 = c1. Source: RepViT, 2307.09283, figure 4.

    Weak: three branches while training; GELU is not fused into a convolution. In a stage it has the stage's activation.
    Elsewhere: timm's `RepViTBlock` is the same; its `legacy=True`, of the paper's first networks, has a batch norm on
        the 1×1 in place of the sum's. There the last batch norm starts at zero, here at one.

    Raises:
        ValueError: c1 ≠ c2, an even kernel, a count below 1, se outside 0–1, or expand that leaves no hidden channels.
    """

    def __init__(self, c1: int, c2: int, k: int = 3, se: float = 0.0, expand: float = 2.0, act: Act = "gelu") -> None:
        super().__init__()
        mid = require_same("RepViTBlock", c1, c2, expand)
        require_number("RepViTBlock", se=se)
        if not 0 <= se <= 1:
            raise ValueError(f"RepViTBlock: se={se!r} must be from 0, for none, to 1")
        self.mixer = RepMixer(c1, k)
        self.se = _gate(c1, se) if se else nn.Identity()
        self.expand = ConvBNAct(c1, mid, act=act)
        self.project = ConvBNAct(mid, c2, act="identity")

    def forward(self, x: Tensor) -> Tensor:
        x = self.se(self.mixer(x))
        return x + self.project(self.expand(x))


def _gate(c: int, ratio: float) -> SqueezeExcite:
    """Squeeze-and-excitation with biases and a sigmoid; its width is the multiple of 8 nearest to c · ratio."""
    hidden = max(8, int(c * ratio + 4) // 8 * 8)
    gate = SqueezeExcite(c, min(1.0, hidden / c), divisor=1)
    gate.gate = nn.Sigmoid()  # type: ignore[assignment]
    return gate
