"""Light heads for boxes, oriented boxes and keypoints: Ultralytics' own, with branches of depthwise-separable layers.

The stock head is 41 % of yolov8n's multiply-adds at 80 classes. Loss, decoding, export and NMS are inherited.

All of them take, after what is their own: `reg_max`, where 1 predicts distances themselves instead of distributions
over 0 … reg_max − 1; `k`, the depthwise kernel; `act`; `form`, how much of that the tasks share: "separate", "shared",
"merged" or "zero" (`yolo_plugins.heads.branches.FORMS`); `end2end`, whether there is a one-to-one half beside the
one-to-many half (Ultralytics 8.4 and newer). A YAML's keys `reg_max` and `end2end` hold for rows that do not say it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from ultralytics.nn.modules import OBB, Detect, Pose

from ..blocks.activation import Act
from ..blocks.geometry import require_positive
from ..blocks.registry import register
from .branches import BOXES_AND_CLASSES, WIDTHS, LightBranches
from .halves import LightHead, parent


@register(
    "inputs",
    channels=(),
    task="detect",
    example={"c1": [64, 128, 256], "nc": 80},
    params=f"{WIDTHS}; {BOXES_AND_CLASSES}",
)  # classes do not scale by width
class LiteDetect(LightHead, Detect):
    """Per map and task one depthwise k×k → 1×1 → 1×1 output: 4 · reg_max for boxes, nc for classes.

    Shape: maps (B, c1[i], H_i, W_i) → raw predictions in training, else boxes and scores (B, 4 + nc, Σ H_i·W_i), or
    the best 300 (B, 300, 6) end to end.

    Weak: one depthwise layer a branch in place of two 3×3 convolutions over all channels: it is for speed, and costs
        accuracy.
    Elsewhere: Ultralytics' `Detect` has two plain 3×3 convolutions a branch; since YOLO11 those of its class branch are
        depthwise-separable.

    Raises:
        ValueError: an even kernel, a count below 1, an unknown form, or `end2end` with a release that has none.
    """

    def __init__(
        self,
        c1: Sequence[int],
        nc: int,
        reg_max: int = 16,
        k: int = 5,
        act: Act = "relu",
        form: str = "separate",
        end2end: bool = False,
    ) -> None:
        self.build(c1, k, end2end, nc=nc)
        self.lighten(LightBranches(c1, max(c1[0], 4 * reg_max), k, act, form), reg_max)


@register("inputs", channels=(), task="detect", source="YOLOv10, 2405.14458", example={"c1": [64, 128, 256], "nc": 80})
class LiteV10Detect(LightHead, parent("v10Detect")):  # type: ignore[misc]
    """`LiteDetect` with the two halves of YOLOv10's head, always end to end.

    Shape: as `LiteDetect`.

    Weak: as `LiteDetect`; in training both halves are computed.

    Raises:
        ValueError: as `LiteDetect`, or a release without YOLOv10.
    """

    def __init__(
        self, c1: Sequence[int], nc: int, reg_max: int = 16, k: int = 5, act: Act = "relu", form: str = "separate"
    ) -> None:
        self.build(c1, k, nc=nc)
        self.lighten(LightBranches(c1, max(c1[0], 4 * reg_max), k, act, form), reg_max)


class _Angles(LightHead):
    """What `LiteOBB` and `LiteOBB26` have in common."""

    def __init__(
        self,
        c1: Sequence[int],
        nc: int,
        ne: int = 1,
        reg_max: int = 16,
        k: int = 5,
        act: Act = "relu",
        form: str = "separate",
        end2end: bool = False,
    ) -> None:
        self.build(c1, k, end2end, nc=nc, ne=ne)
        make = LightBranches(c1, max(c1[0], 4 * reg_max), k, act, form)
        self.lighten(make, reg_max, cv4=(max(c1[0] // 4, ne), ne))


@register("inputs", channels=(), task="obb", example={"c1": [64, 128, 256], "nc": 15})
class LiteOBB(_Angles, OBB):
    """`LiteDetect` with an angle for each box, from branches of the same form.

    Shape: as `LiteDetect`, with ne angles more an anchor.

    Weak: as `LiteDetect`.

    Raises:
        ValueError: as `LiteDetect`.
    """


@register("inputs", channels=(), task="obb", source="YOLO26", example={"c1": [64, 128, 256], "nc": 15})
class LiteOBB26(_Angles, parent("OBB26")):  # type: ignore[misc]
    """`LiteOBB` whose angles are predicted as they are, without a sigmoid.

    Shape: as `LiteOBB`.

    Weak: as `LiteDetect`.

    Raises:
        ValueError: as `LiteDetect`, or a release without YOLO26.
    """


@register("inputs", channels=(), task="pose", example={"c1": [64, 128, 256], "nc": 1})
class LitePose(LightHead, Pose):
    """`LiteDetect` with keypoints for each box, from branches of the same form.

    `kpt_shape` is the number of keypoints and of values each: 2 for x, y or 3 for x, y, visible.

    Shape: as `LiteDetect`, with kpt_shape[0] · kpt_shape[1] values more an anchor.

    Weak: as `LiteDetect`; the keypoints of a body are far from its anchor, where one depthwise layer sees little.

    Raises:
        ValueError: as `LiteDetect`, or a `kpt_shape` of another form.
    """

    def __init__(
        self,
        c1: Sequence[int],
        nc: int,
        kpt_shape: Sequence[int] = (17, 3),
        reg_max: int = 16,
        k: int = 5,
        act: Act = "relu",
        form: str = "separate",
        end2end: bool = False,
    ) -> None:
        _require_keypoints("LitePose", kpt_shape)
        self.build(c1, k, end2end, nc=nc, kpt_shape=kpt_shape)
        make = LightBranches(c1, max(c1[0], 4 * reg_max), k, act, form)
        self.lighten(make, reg_max, cv4=(max(c1[0] // 4, self.nk), self.nk))


@register("inputs", channels=(), task="pose", source="YOLO26", example={"c1": [64, 128, 256], "nc": 1})
class LitePose26(LightHead, parent("Pose26")):  # type: ignore[misc]
    """`LitePose` with YOLO26's keypoints: an offset each and, in training, its spread for a normalising flow.

    Shape: as `LitePose`.

    Weak: as `LitePose`; the spreads are dropped when it is exported.

    Raises:
        ValueError: as `LitePose`, or a release without YOLO26.
    """

    def __init__(
        self,
        c1: Sequence[int],
        nc: int,
        kpt_shape: Sequence[int] = (17, 3),
        reg_max: int = 1,
        k: int = 5,
        act: Act = "relu",
        form: str = "separate",
        end2end: bool = False,
    ) -> None:
        _require_keypoints("LitePose26", kpt_shape)
        self.build(c1, k, end2end, nc=nc, kpt_shape=kpt_shape)
        make = LightBranches(c1, max(c1[0], 4 * reg_max), k, act, form)
        hidden = max(c1[0] // 4, kpt_shape[0] * (kpt_shape[1] + 2))
        self.cv4 = make.features(hidden)
        self.cv4_kpts = nn.ModuleList(nn.Conv2d(c, self.nk, 1) for c in make.widths(hidden))
        self.cv4_sigma = nn.ModuleList(nn.Conv2d(c, self.nk_sigma, 1) for c in make.widths(hidden))
        self.lighten(make, reg_max)


def _require_keypoints(block: str, kpt_shape: Sequence[int]) -> None:
    if not isinstance(kpt_shape, Sequence) or len(kpt_shape) != 2 or kpt_shape[1] not in (2, 3):
        raise ValueError(f"{block}: kpt_shape={kpt_shape!r} must be a number of keypoints, and 2 or 3 values each")
    require_positive(block, keypoints=kpt_shape[0])
