"""Ultralytics' classification head, made light, and without its own convolution for networks that bring their own."""

from __future__ import annotations

from torch import nn
from ultralytics.nn.modules import Classify

from ..blocks.activation import Act, activation
from ..blocks.geometry import require_number, require_positive
from ..blocks.registry import register


@register(
    "conv",
    channels=(),
    task="classify",
    example={"c1": 960, "nc": 80},
    params="c1*nc + nc",
)  # classes do not scale by width
class ClassifyHead(Classify):
    """Pool → dropout → linear; logits in training, probabilities in validation, prediction and export.

    The tensors are named as in `yolo_plugins.networks.network.Classifier`.

    Shape: (B, c1, H, W) → (B, nc).

    Weak: no hidden layer of its own: for backbones that end in their own top.
    Elsewhere: Ultralytics' `Classify` has a 1×1 convolution to 1,280 channels before the pool.

    Raises:
        ValueError: a count below 1, or dropout outside 0–1.
    """

    def __init__(self, c1: int, nc: int, dropout: float = 0.0) -> None:
        nn.Module.__init__(self)
        _require("ClassifyHead", dropout, c1=c1, nc=nc)
        self.conv = nn.Identity()  # type: ignore[assignment]
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(dropout)
        self.linear = nn.Linear(c1, nc)


@register("conv", channels=(), task="classify", source="MobileNetV3, 1905.02244")
class LiteClassify(Classify):
    """Pool → 1×1 to `hidden` → dropout → linear: stock's head, pooled before its convolution, not after.

    As in MobileNetV3's last stage the convolution has a bias and no batch norm, since it sees one pixel.

    Shape: (B, c1, H, W) → (B, nc).

    Raises:
        ValueError: a count below 1, or dropout outside 0–1.
    """

    def __init__(self, c1: int, nc: int, hidden: int = 1280, dropout: float = 0.0, act: Act = "hardswish") -> None:
        nn.Module.__init__(self)
        _require("LiteClassify", dropout, c1=c1, nc=nc, hidden=hidden)
        self.conv = nn.Sequential(  # type: ignore[assignment]
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(c1, hidden, 1), activation(act)
        )
        self.pool = nn.Identity()  # type: ignore[assignment]
        self.drop = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden, nc)


def _require(block: str, dropout: float, **counts: int) -> None:
    require_positive(block, **counts)
    require_number(block, dropout=dropout)
    if not 0 <= dropout < 1:
        raise ValueError(f"{block}: dropout={dropout!r} must be at least 0 and below 1")
