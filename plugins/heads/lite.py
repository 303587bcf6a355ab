"""Light detection and segmentation heads: Ultralytics' own, with branches of depthwise-separable convolutions.

The stock head is 41 % of yolov8n's multiply-adds at 80 classes. Loss, decoding, export and NMS are inherited.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from ultralytics.nn.modules import Detect, Segment

from ..blocks.activation import Act
from ..blocks.conv import ConvBNAct
from ..blocks.registry import part, register
from .branches import LightHead, require_maps, separable


@register("inputs", channels=(), task="detect")  # classes do not scale by width
class LiteDetect(LightHead, Detect):
    """Per map and task one depthwise k×k → 1×1 → 1×1 output: 4 · reg_max for boxes, nc for classes.

    `reg_max=1` predicts distances themselves instead of distributions over 0 … reg_max − 1. `form` says how much of
    that boxes and classes share: "separate", "shared", "merged" or "zero" (`yolo_plugins.heads.branches.FORMS`).

    Shape: maps (B, c1[i], H_i, W_i) → raw predictions in training, else boxes and scores (B, 4 + nc, Σ H_i·W_i).

    Raises:
        ValueError: an even kernel, a count below 1, or an unknown form.
    """

    def __init__(
        self, c1: Sequence[int], nc: int, reg_max: int = 16, k: int = 5, act: Act = "relu", form: str = "separate"
    ) -> None:
        require_maps("LiteDetect", c1, k, nc=nc, reg_max=reg_max)
        super().__init__(nc=nc, ch=tuple(c1))
        self.lighten(c1, reg_max, k, act, form)


@register("inputs", channels=("npr",), task="segment")
class LiteSegment(LightHead, Segment):
    """`LiteDetect` with mask coefficients and prototypes, both from depthwise-separable convolutions.

    `nm` is the number of prototypes, `npr` their hidden channels.

    Shape: as `LiteDetect`, with nm coefficients more an anchor, and prototypes (B, nm, 2·H_0, 2·W_0).

    Raises:
        ValueError: as `LiteDetect`.
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
        form: str = "separate",
    ) -> None:
        require_maps("LiteSegment", c1, k, nc=nc, nm=nm, npr=npr, reg_max=reg_max)
        super().__init__(nc=nc, nm=nm, npr=npr, ch=tuple(c1))
        make = self.lighten(c1, reg_max, k, act, form)
        self.cv4 = make(max(c1[0] // 4, nm), nm)
        self.proto = LiteProto(make.inputs[0], npr, nm, act)  # type: ignore[assignment]

    def branches(self) -> list[str]:
        """Names of its parts that each make one map of one, as they are called in the stock head."""
        return [*super().branches(), "proto"]


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
