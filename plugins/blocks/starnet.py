"""Star operation: two pointwise layers multiplied (StarNet, Rewrite the Stars, 2403.19967).

All convolutions have biases, those before a batch norm too, as in the paper's network.
"""

from __future__ import annotations

from torch import Tensor, nn

from .activation import Act, activation
from .conv import INITIAL_STD
from .folding import Foldable, folded
from .geometry import require_odd, require_same, same_padding
from .registry import register


@register(
    "conv",
    stands_for=("bottleneck",),
    source="StarNet, 2403.19967",
    example={"c1": 64, "c2": 64},
    params="m = int(c1*expand); 3*c1*m + 2*m + 2*dw_k**2*c1 + 7*c1",
)
class StarBlock(Foldable):
    """Depthwise 7×7 with batch norm → act(1×1) · 1×1, both to ⌊c1·expand⌋ → 1×1 with batch norm → depthwise 7×7 → add.

    The depthwise kernel is `dw_k`; `shortcut=False` leaves out the sum.

    Shape: (B, c1, H, W) → (B, c2, H, W), c2 = c1. Source: StarNet, 2403.19967, figure 3.

    Weak: its two 7×7 depthwise layers are bound by memory, and NCNN on x86 tiles 3×3 alone; the product squares the
        range of values, which 8 bits and float16 feel.
    Elsewhere: timm's `Block` of StarNet is the same, with `mlp_ratio` 4 in its networks and 3 by default.

    Raises:
        ValueError: c1 ≠ c2, an even kernel, a count below 1, or expand that leaves no hidden channels.
    """

    def __init__(
        self, c1: int, c2: int, expand: float = 4.0, dw_k: int = 7, shortcut: bool = True, act: Act = "relu6"
    ) -> None:
        super().__init__()
        mid = require_same("StarBlock", c1, c2, expand)
        require_odd("StarBlock", dw_k=dw_k)
        self.depthwise1 = nn.Conv2d(c1, c1, dw_k, padding=same_padding(dw_k), groups=c1)
        self.bn1: nn.Module = nn.BatchNorm2d(c1)  # an identity once fused, as bn2
        self.f1 = nn.Conv2d(c1, mid, 1)
        self.f2 = nn.Conv2d(c1, mid, 1)
        self.act = activation(act)
        self.project = nn.Conv2d(mid, c2, 1)
        self.bn2: nn.Module = nn.BatchNorm2d(c2)
        self.depthwise2 = nn.Conv2d(c2, c2, dw_k, padding=same_padding(dw_k), groups=c2)
        self.add = shortcut
        for conv in (m for m in self.modules() if isinstance(m, nn.Conv2d)):
            nn.init.normal_(conv.weight, std=INITIAL_STD)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.depthwise1(x))
        y = self.act(self.f1(y)) * self.f2(y)
        y = self.depthwise2(self.bn2(self.project(y)))
        return x + y if self.add else y

    def fold(self) -> None:
        self.depthwise1, self.bn1 = folded(self.depthwise1, self.bn1), nn.Identity()
        self.project, self.bn2 = folded(self.project, self.bn2), nn.Identity()

    @property
    def is_folded(self) -> bool:
        return not isinstance(self.bn1, nn.BatchNorm2d)
