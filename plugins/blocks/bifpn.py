"""Weighted fusion of maps (EfficientDet's BiFPN, 1911.09070)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import torch
from torch import Tensor, nn

from .conv import ConvBNAct
from .folding import Foldable
from .geometry import require_positive
from .registry import register


@register(
    "inputs",
    source="EfficientDet, 1911.09070",
    example={"c1": [64, 64], "c2": 64},
    params="len(c1) + sum(c*c2 + 2*c2 for c in c1 if c != c2)",
)
class WeightedSum(Foldable):
    """Σ relu(wᵢ)·xᵢ / (Σ relu(wᵢ) + 10⁻⁴), one learned weight for each map: BiFPN's fast normalised fusion.

    In the place of a `Concat` of several rows: `[[-1, 6], 1, plugins.WeightedSum, [256]]`. A map of other than c2
    channels goes through a 1×1 convolution with batch norm, without activation; one of c2 channels stays as it is.
    Heights and widths must be the same already, as for `Concat`: bring them there by the rows before, such as
    `nn.Upsample` or a `Conv` of stride 2. Fused, the weights are constants.

    Shape: maps (B, c1[i], H, W) → (B, c2, H, W). Source: EfficientDet, 1911.09070, section 3.3.

    Weak: a sum keeps no more than c2 channels where a concatenation keeps all; a weight that falls below 0 gets no
        gradient any more.
    Elsewhere: copies named `BiFPN_Concat` weigh, then concatenate; others take two or three maps by class,
        and leave out the 10⁻⁴ or the ReLU.

    Raises:
        ValueError: a count below 1, no map, or maps whose sizes differ when it runs.
    """

    def __init__(self, c1: Sequence[int], c2: int) -> None:
        super().__init__()
        if not isinstance(c1, (list, tuple)) or not c1:
            raise ValueError(f"WeightedSum: c1={c1!r} must be the channels of each of its maps")
        require_positive("WeightedSum", c2=c2, **{f"c1[{i}]": c for i, c in enumerate(c1)})
        self.weight: nn.Parameter | None = nn.Parameter(torch.ones(len(c1)))  # none once fused
        self.factors: list[float] = []
        self.project = nn.ModuleList(nn.Identity() if c == c2 else ConvBNAct(c, c2, act="identity") for c in c1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        sizes = [tuple(x.shape[2:]) for x in maps]
        if not torch.jit.is_tracing() and any(size != sizes[0] for size in sizes):
            raise ValueError(
                f"WeightedSum: maps of {', '.join(f'{h}×{w}' for h, w in sizes)} cannot be added; "
                "bring them to one height and width in the rows before"
            )
        factors = self.factors if self.weight is None else _normalised(self.weight).unbind()
        weighted = (f * project(x) for f, project, x in zip(factors, self.project, maps, strict=True))
        return reduce(add, weighted)

    def fold(self) -> None:
        if self.weight is not None:
            self.factors, self.weight = _normalised(self.weight).tolist(), None

    @property
    def is_folded(self) -> bool:
        return self.weight is None


def _normalised(weight: Tensor) -> Tensor:
    weight = weight.relu()
    return weight / (weight.sum() + 1e-4)
