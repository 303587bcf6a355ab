"""Ultralytics' classification head without its own 1280-channel convolution, for networks that bring their own top."""

from __future__ import annotations

from torch import nn
from ultralytics.nn.modules import Classify

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
        require_positive("ClassifyHead", c1=c1, nc=nc)
        require_number("ClassifyHead", dropout=dropout)
        if not 0 <= dropout < 1:
            raise ValueError(f"ClassifyHead: dropout={dropout!r} must be at least 0 and below 1")
        self.conv = nn.Identity()  # type: ignore[assignment]
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(dropout)
        self.linear = nn.Linear(c1, nc)
