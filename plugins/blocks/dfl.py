"""Distances from their distributions (distribution focal loss, 2006.04388), in a form that runtimes are fast at."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor, nn

from .registry import part


@part
class ExpectedDistance(nn.Module):
    """Mean of a distribution over 0 … n − 1 given by its logits: what Ultralytics' `DFL` computes.

    A softmax over an axis that is not the last makes ONNX Runtime transpose the largest map of the model; here nothing
    is transposed. No product of matrices either: recipes for 8 bits quantise those, and distances would get eight bits
    for exponentials and sums of all sizes.

    Shape: (B, 4·n, A) → (B, 4, A).
    """

    steps: Tensor

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self.register_buffer("steps", torch.arange(n, dtype=torch.float).view(n, 1))

    def forward(self, x: Tensor) -> Tensor:
        b, _, anchors = x.shape
        logits = x.view(b, 4, self.n, anchors)
        weights = (logits - _largest(logits)).exp()
        return (weights * self.steps).sum(2) / weights.sum(2)


def _largest(x: Tensor) -> Tensor:
    """`x.amax(2, keepdim=True)`, four slices at a time.

    ONNX Runtime's preparation for quantising knows no shape of a `ReduceMax`, and a pooling is slower.
    """
    while (rows := x.shape[2]) > 1:
        size = -(-rows // 4)
        starts = [min(i, rows - size) for i in range(0, rows, size)]
        x = reduce(torch.maximum, [x[:, :, i : i + size] for i in starts])
    return x
