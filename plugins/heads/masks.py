"""Light heads for masks: `LiteDetect` with mask coefficients and prototypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import interpolate
from ultralytics.nn.modules import Segment

from ..blocks.activation import Act
from ..blocks.conv import ConvBNAct
from ..blocks.registry import part, register
from .branches import BOXES_AND_CLASSES, WIDTHS, LightBranches, separable
from .halves import LightHead, parent


class _Masks(LightHead):
    """What `LiteSegment` and `LiteSegment26` have in common."""

    def __init__(
        self,
        c1: Sequence[int],
        nc: int,
        nm: int = 32,
        npr: int = 256,
        reg_max: int = 16,
        k: int = 5,
        act: Act = "relu",
        form: str = "separate",
        end2end: bool = False,
    ) -> None:
        self.build(c1, k, end2end, nc=nc, nm=nm, npr=npr)
        make = LightBranches(c1, max(c1[0], 4 * reg_max), k, act, form)
        self.lighten(make, reg_max, cv4=(max(c1[0] // 4, nm), nm))
        # Two halves share no map but the neck's.
        self.proto = self.prototypes(make.inputs if self.halves == 1 else c1, npr, nm, nc, act)

    proto: Any

    def prototypes(self, c1: Sequence[int], npr: int, nm: int, nc: int, act: Act) -> nn.Module:
        """What makes prototypes from maps of c1 channels."""
        return LiteProto(c1[0], npr, nm, act)


_MASKS = (
    "sum(k**2*c + 2*c + c*m + 2*m + m*nm + nm for c in c1)"
    " + 11*c1[0] + c1[0]*npr + 13*npr + npr**2 + 2*npr + npr*nm + 2*nm"
)
"""Formula of the parameters of coefficients and prototypes."""


@register(
    "inputs",
    channels=("npr",),
    task="segment",
    example={"c1": [64, 128, 256], "nc": 80},
    params=f"{WIDTHS}; m = max(c1[0]//4, nm); {BOXES_AND_CLASSES} + {_MASKS}",
)
class LiteSegment(_Masks, Segment):
    """`LiteDetect` with mask coefficients and prototypes, both from depthwise-separable convolutions.

    `nm` is the number of prototypes, `npr` their hidden channels.

    Shape: as `LiteDetect`, with nm coefficients more an anchor, and prototypes (B, nm, 2·H_0, 2·W_0).

    Weak: as `LiteDetect`; prototypes are doubled by nearest neighbours, where stock has a learned transposed
        convolution.
    Elsewhere: Ultralytics' `Segment` with its `Proto`.

    Raises:
        ValueError: as `LiteDetect`.
    """


@register("inputs", channels=("npr",), task="segment", source="YOLO26", example={"c1": [64, 128, 256], "nc": 80})
class LiteSegment26(_Masks, parent("Segment26")):  # type: ignore[misc]
    """`LiteSegment` whose prototypes are made of all maps, and learn from classes of pixels besides.

    Shape: as `LiteSegment`.

    Weak: as `LiteSegment`; prototypes wait for the maps of every stride.

    Raises:
        ValueError: as `LiteDetect`, or a release without YOLO26.
    """

    def prototypes(self, c1: Sequence[int], npr: int, nm: int, nc: int, act: Act) -> nn.Module:
        """What makes prototypes from maps of c1 channels."""
        return LiteProto26(c1, npr, nm, nc, act)


@part
class LiteProto(nn.Module):
    """Mask prototypes: separable 3×3 → ×2 nearest → separable 3×3, at c_ channels → 1×1 to c2.

    Shape: (B, c1, H, W) → (B, c2, 2·H, 2·W).
    """

    def __init__(self, c1: int, c_: int, c2: int, act: Act = "relu") -> None:
        super().__init__()
        self.cv1 = nn.Sequential(*separable(c1, c_, 3, act))
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.cv2 = nn.Sequential(*separable(c_, c_, 3, act))
        self.cv3 = ConvBNAct(c_, c2, act=act)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.cv3(self.cv2(self.upsample(self.cv1(x))))
        return y


@part
class LiteProto26(nn.Module):
    """YOLO26's prototypes, light: 1×1 and nearest upsampling add the smaller maps to the first, then `LiteProto`.

    In training the classes of pixels (B, nc, H_0, W_0) come with them, from a separable 3×3.

    Shape: maps (B, c1[i], H_i, W_i) → (B, c2, 2·H_0, 2·W_0).
    """

    def __init__(self, c1: Sequence[int], c_: int, c2: int, nc: int, act: Act = "relu") -> None:
        super().__init__()
        self.feat_refine = nn.ModuleList(ConvBNAct(c, c1[0], act=act) for c in c1[1:])
        self.masks = LiteProto(c1[0], c_, c2, act)
        self.semseg: nn.Module | None = nn.Sequential(*separable(c1[0], c_, 3, act), nn.Conv2d(c_, nc, 1))

    def forward(self, x: list[Tensor]) -> Tensor | tuple[Tensor, Tensor]:
        first = x[0]
        for i, (refine, m) in enumerate(zip(self.feat_refine, x[1:], strict=True), 1):
            # Maps' sizes differ by powers of two; a constant factor exports with dynamic shapes.
            first = first + interpolate(refine(m), scale_factor=2**i, mode="nearest")
        prototypes: Tensor = self.masks(first)
        return (prototypes, self.semseg(first)) if self.training and self.semseg is not None else prototypes

    def fuse(self) -> None:
        """Leave out what only training needs; Ultralytics' head calls it."""
        self.semseg = None
