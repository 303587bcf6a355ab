"""Channel attention: SE (1709.01507) and its hard-sigmoid form in GhostNet and MobileNetV3 (1905.02244).

`SE` has no biases, as the paper's parameter formula 2·c²/r counts it; `SqueezeExcite` has them, as its networks do.
Both pool to 1×1, the one adaptive pooling that every export format takes.
"""

from __future__ import annotations

from torch import Tensor, nn

from .geometry import make_divisible, require_number, require_positive
from .registry import register


@register(
    "same",
    gate=True,
    source="1709.01507",
    example={"c1": 128},
    params="2*c1*max(1, c1//r)",
)
class SE(nn.Module):
    """Squeeze-and-excitation: pool → fc c1→max(1, c1 // r) → ReLU → fc → sigmoid → multiply.

    Shape: (B, c1, H, W) → the same. Source: 1709.01507, equations 2–4.

    Weak: pooling waits for the whole map, and the product reads and writes it once more: at large maps that costs more
        than its two small layers. It weighs channels alone, not places.
    Elsewhere: timm's `SEModule` and many copies have biases, and round c1 / r to multiples of 8.

    Raises:
        ValueError: a count below 1.
    """

    def __init__(self, c1: int, r: int = 16) -> None:
        super().__init__()
        require_positive("SE", c1=c1, r=r)
        hidden = max(1, c1 // r)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(c1, hidden, 1, bias=False)
        self.act = nn.ReLU()
        self.expand = nn.Conv2d(hidden, c1, 1, bias=False)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.expand(self.act(self.reduce(self.pool(x)))))


@register(
    "same",
    gate=True,
    source="MobileNetV3, 1905.02244",
    example={"c1": 128},
    params="h = make_divisible(c1*ratio, divisor); 2*c1*h + c1 + h",
)
class SqueezeExcite(nn.Module):
    """Pool → 1×1 reduce → ReLU → 1×1 expand → hard-sigmoid ReLU6(x + 3)/6 → multiply.

    The reduced width is make_divisible(c1 · ratio, divisor); the divisor is 8 in MobileNetV3, 4 in GhostNet.

    Shape: (B, c1, H, W) → the same. Source: MobileNetV3, 1905.02244; GhostNet, 1911.11907.

    Weak: as `SE`. The hard sigmoid is exactly 0 below −3, where nothing is learned.
    Elsewhere: torchvision's `SElayer` of MobileNetV3 is the same; timm's `SqueezeExcite` has a plain sigmoid by
        default.

    Raises:
        ValueError: a count below 1, or a ratio that is not above 0.
    """

    def __init__(self, c1: int, ratio: float = 0.25, divisor: int = 8) -> None:
        super().__init__()
        require_positive("SqueezeExcite", c1=c1, divisor=divisor)
        require_number("SqueezeExcite", ratio=ratio)
        if not 0 < ratio <= 1:
            raise ValueError(f"SqueezeExcite: ratio={ratio!r} must be above 0 and at most 1")
        hidden = make_divisible(c1 * ratio, divisor)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(c1, hidden, 1)
        self.act = nn.ReLU()
        self.expand = nn.Conv2d(hidden, c1, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.expand(self.act(self.reduce(self.pool(x)))))
