"""Light detection and segmentation heads: Ultralytics' own, with branches of depthwise-separable convolutions.

The stock head is 41 % of yolov8n's multiply-adds at 80 classes. Loss, decoding, export and NMS are inherited.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from ultralytics.nn.modules import DFL, Detect, Segment

from ..blocks.activation import Act
from ..blocks.conv import ConvBNAct
from ..blocks.geometry import require_odd, require_positive
from ..blocks.registry import part, register

_WIDTHS = "b = max(c1[0]//4, 4*reg_max, 16) if reg_max > 1 else c1[0]; r = 4*reg_max"
_BOXES_AND_CLASSES = (
    "sum(2*k**2*c + 4*c + c*b + 2*b + b*r + r + c*c1[0] + 2*c1[0] + c1[0]*nc + nc for c in c1)"
    " + (reg_max if reg_max > 1 else 0)"
)
_MASKS = (
    "sum(k**2*c + 2*c + c*m + 2*m + m*nm + nm for c in c1)"
    " + 11*c1[0] + c1[0]*npr + 13*npr + npr**2 + 2*npr + npr*nm + 2*nm"
)
"""Formulas of the parameters, in parts."""


@register(
    "inputs",
    channels=(),
    task="detect",
    example={"c1": [64, 128, 256], "nc": 80},
    params=f"{_WIDTHS}; {_BOXES_AND_CLASSES}",
)  # classes do not scale by width
class LiteDetect(Detect):
    """Per map and task one depthwise k×k → 1×1 → 1×1 output: 4 · reg_max for boxes, nc for classes.

    `reg_max=1` predicts distances themselves instead of distributions over 0 … reg_max − 1.

    Shape: maps (B, c1[i], H_i, W_i) → raw predictions in training, else boxes and scores (B, 4 + nc, Σ H_i·W_i).

    Weak: one depthwise layer a branch in place of two 3×3 convolutions over all channels: it is for speed, and costs
        accuracy.
    Elsewhere: Ultralytics' `Detect` has two plain 3×3 convolutions a branch; since YOLO11 those of its class branch are
        depthwise-separable.

    Raises:
        ValueError: an even kernel, or a count below 1.
    """

    def __init__(self, c1: Sequence[int], nc: int, reg_max: int = 16, k: int = 5, act: Act = "relu") -> None:
        require_positive("LiteDetect", nc=nc, reg_max=reg_max, **_numbered(c1))
        require_odd("LiteDetect", k=k)
        super().__init__(nc=nc, ch=tuple(c1))
        _lighten(self, c1, reg_max, k, act)

    def branches(self) -> list[str]:
        """Names of its parts that each make one map of one, as they are called in the stock head."""
        return _maps(self, "cv2", "cv3")


@register(
    "inputs",
    channels=("npr",),
    task="segment",
    example={"c1": [64, 128, 256], "nc": 80},
    params=f"{_WIDTHS}; m = max(c1[0]//4, nm); {_BOXES_AND_CLASSES} + {_MASKS}",
)
class LiteSegment(Segment):
    """`LiteDetect` with mask coefficients and prototypes, both from depthwise-separable convolutions.

    `nm` is the number of prototypes, `npr` their hidden channels.

    Shape: as `LiteDetect`, with nm coefficients more an anchor, and prototypes (B, nm, 2·H_0, 2·W_0).

    Weak: as `LiteDetect`; prototypes are doubled by nearest neighbours, where stock has a learned transposed
        convolution.
    Elsewhere: Ultralytics' `Segment` with its `Proto`.

    Raises:
        ValueError: an even kernel, or a count below 1.
    """

    def __init__(
        self,
        c1: Sequence[int],
        nc: int,
        nm: int = 32,
        npr: int = 256,
        reg_max: int = 16,
        k: int = 5,
        act: Act = "relu",
    ) -> None:
        require_positive("LiteSegment", nc=nc, nm=nm, npr=npr, reg_max=reg_max, **_numbered(c1))
        require_odd("LiteSegment", k=k)
        super().__init__(nc=nc, nm=nm, npr=npr, ch=tuple(c1))
        _lighten(self, c1, reg_max, k, act)
        self.cv4 = nn.ModuleList(_branch(c, max(c1[0] // 4, nm), nm, k, act) for c in c1)
        self.proto = LiteProto(c1[0], npr, nm, act)  # type: ignore[assignment]

    def branches(self) -> list[str]:
        """Names of its parts that each make one map of one, as they are called in the stock head."""
        return [*_maps(self, "cv2", "cv3", "cv4"), "proto"]


@part
class LiteProto(nn.Module):
    """Mask prototypes: separable 3×3 → ×2 nearest → separable 3×3, at c_ channels → 1×1 to c2.

    Shape: (B, c1, H, W) → (B, c2, 2·H, 2·W).
    """

    def __init__(self, c1: int, c_: int, c2: int, act: Act = "relu") -> None:
        super().__init__()
        self.cv1 = nn.Sequential(*_separable(c1, c_, 3, act))
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.cv2 = nn.Sequential(*_separable(c_, c_, 3, act))
        self.cv3 = ConvBNAct(c_, c2, act=act)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.cv3(self.cv2(self.upsample(self.cv1(x))))
        return y


def _lighten(head: Detect, c1: Sequence[int], reg_max: int, k: int, act: Act) -> None:
    """Put light branches, and the number of distances, in place of what `Detect.__init__` made."""
    head.reg_max = reg_max
    head.no = head.nc + 4 * reg_max
    head.dfl = DFL(reg_max) if reg_max > 1 else nn.Identity()
    boxes = max(c1[0] // 4, 4 * reg_max, 16) if reg_max > 1 else c1[0]
    head.cv2 = nn.ModuleList(_branch(c, boxes, 4 * reg_max, k, act) for c in c1)
    head.cv3 = nn.ModuleList(_branch(c, c1[0], head.nc, k, act) for c in c1)


def _branch(c1: int, c: int, c2: int, k: int, act: Act) -> nn.Sequential:
    # Flat, as Ultralytics looks for `[0].conv.in_channels` and `[-1].bias`.
    return nn.Sequential(*_separable(c1, c, k, act), nn.Conv2d(c, c2, 1))


def _separable(c1: int, c2: int, k: int, act: Act) -> tuple[ConvBNAct, ConvBNAct]:
    return ConvBNAct(c1, c1, k, g=c1, act=act), ConvBNAct(c1, c2, act=act)


def _maps(head: Detect, *lists: str) -> list[str]:
    return [f"{name}.{i}" for name in lists for i in range(head.nl)]


def _numbered(c1: Sequence[int]) -> dict[str, int]:
    return {f"c1[{i}]": c for i, c in enumerate(c1)}
