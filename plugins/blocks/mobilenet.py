"""Inverted residual (MobileNetV2, 1801.04381) with MobileNetV3's gate and h-swish (1905.02244); MobileNetV4's UIB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from .activation import Act
from .attention import SqueezeExcite
from .conv import ConvBNAct
from .geometry import make_divisible, require_number, require_odd, require_positive, require_stride
from .registry import register
from .signature import is_count


def _saves(a: Mapping[str, Any]) -> float | None:
    """MobileNetV2, 1801.04381, section 3.2: c·t·(c + k² + c′) multiply-adds a pixel, at stride 1 and without SE."""
    if a["s"] != 1 or a["se"] or a["mid"] is not None:
        return None
    c1, c2, area = a["c1"], a["c2"], a["k"] ** 2
    return area * c1 * c2 / (c1 * a["expand"] * (c1 + area + c2))


@register(
    "conv",
    channels=("c2", "mid"),
    stands_for=("bottleneck", "conv"),
    source="MobileNetV3, 1905.02244",
    example={"c1": 40, "c2": 40, "k": 5, "se": 0.25, "mid": 120},
    saves=_saves,
    params="m = mid or (c1 if expand == 1 else make_divisible(c1*expand, 8)); "
    "h = make_divisible(m*se, 8) if se else 0; (c1*m + 2*m if m != c1 else 0) + k**2*m + 2*m + (2*m*h + m"
    " + h if se else 0) + m*c2 + 2*c2",
)
class InvertedResidual(nn.Module):
    """[1×1 expand] → depthwise k×k → [SE] → 1×1 linear; the input is added when s = 1 and c1 = c2.

    The expanded width is make_divisible(c1 · expand, 8), or `mid` where a paper's table gives it; no expand layer where
    it equals c1.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: MobileNetV3, 1905.02244, figure 4.

    Weak: `expand` times the channels are written and read twice, which is memory where maps are large; NCNN fuses ReLU
        into a convolution, h-swish not.
    Elsewhere: torchvision's `InvertedResidual` of MobileNetV3 is the same; that of MobileNetV2 has ReLU6 and no gate.

    Raises:
        ValueError: a stride other than 1 and 2, an even kernel, expand below 1, or a count below 1.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        s: int = 1,
        expand: float = 4.0,
        k: int = 3,
        se: float = 0.0,
        act: Act = "hardswish",
        mid: int | None = None,
    ) -> None:
        super().__init__()
        require_positive("InvertedResidual", c1=c1, c2=c2)
        require_odd("InvertedResidual", k=k)
        require_stride("InvertedResidual", s, (1, 2))
        require_number("InvertedResidual", expand=expand)
        if expand < 1:
            raise ValueError(f"InvertedResidual: expand={expand!r} must be at least 1")
        if mid is not None:
            require_positive("InvertedResidual", mid=mid)
        else:
            mid = c1 if expand == 1 else make_divisible(c1 * expand, 8)
        self.add = s == 1 and c1 == c2
        self.expand = nn.Identity() if mid == c1 else ConvBNAct(c1, mid, act=act)
        self.depthwise = ConvBNAct(mid, mid, k, s, g=mid, act=act)
        self.se = SqueezeExcite(mid, se) if se else nn.Identity()
        self.project = ConvBNAct(mid, c2, act="identity")

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.se(self.depthwise(self.expand(x))))
        return x + y if self.add else y


@register(
    "conv",
    stands_for=("bottleneck", "conv"),
    source="MobileNetV4, 2404.10518",
    example={"c1": 64, "c2": 64},
    params="m = make_divisible(c1*expand, 8); (start_k**2*c1 + 2*c1 if start_k else 0) + c1*m + 2*m"
    " + (k**2*m + 2*m if k else 0) + m*c2 + 2*c2",
)
class UIB(nn.Module):
    """Universal inverted bottleneck: [depthwise, no activation] → 1×1 expand → [depthwise k×k] → 1×1 linear → add.

    Its four forms: `start_k` and `k` above 0 are ExtraDW, `start_k=0` the inverted bottleneck, `k=0` ConvNext-like,
    both 0 a feed-forward layer. The expanded width is make_divisible(c1 · expand, 8). The stride is that of the middle
    depthwise layer, or of the first where there is no middle one. The input is added when s = 1 and c1 = c2;
    `shortcut=False` leaves that out. Without the layer scale of MobileNetV4's hybrids.

    Shape: (B, c1, H, W) → (B, c2, ⌈H/s⌉, ⌈W/s⌉). Source: MobileNetV4, 2404.10518, figure 4.

    Weak: `expand` times the channels are written and read, as in every inverted bottleneck; two depthwise layers are
        bound by memory.
    Elsewhere: timm's `UniversalInvertedResidual` is the same without its layer scale and end layer; copies that give
        the start layer an activation are not.

    Raises:
        ValueError: a stride other than 1 and 2, or 2 with neither depthwise layer, an even kernel, expand of 0 or
            less, or a count below 1.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        s: int = 1,
        expand: float = 4.0,
        start_k: int = 3,
        k: int = 3,
        shortcut: bool = True,
        act: Act = "relu",
    ) -> None:
        super().__init__()
        require_positive("UIB", c1=c1, c2=c2)
        require_number("UIB", expand=expand)
        require_odd("UIB", **{name: v for name, v in (("start_k", start_k), ("k", k)) if not is_count(v) or v})
        require_stride("UIB", s, (1, 2))
        if expand <= 0:
            raise ValueError(f"UIB: expand={expand!r} must be above 0")
        if s > 1 and not start_k and not k:
            raise ValueError(f"UIB: start_k=0 and k=0 leave no depthwise layer for stride s={s}")
        mid = make_divisible(c1 * expand, 8)
        self.start = ConvBNAct(c1, c1, start_k, 1 if k else s, g=c1, act="identity") if start_k else nn.Identity()
        self.expand = ConvBNAct(c1, mid, act=act)
        self.depthwise = ConvBNAct(mid, mid, k, s, g=mid, act=act) if k else nn.Identity()
        self.project = ConvBNAct(mid, c2, act="identity")
        self.add = shortcut and s == 1 and c1 == c2

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(self.start(x))))
        return x + y if self.add else y
