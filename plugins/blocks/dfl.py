"""Distances from their distributions (distribution focal loss, 2006.04388), in a form that runtimes are fast at."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .registry import part


@part
class ExpectedDistance(nn.Module):
    """Mean of a distribution over 0 … n − 1 given by its logits: what Ultralytics' `DFL` computes.

    One product with the exponentials gives numerator and denominator; a softmax over an axis that is not the last makes
    ONNX Runtime transpose the largest map of the model.

    Shape: (B, 4·n, A) → (B, 4, A).
    """

    steps: Tensor

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self.register_buffer("steps", torch.stack([torch.arange(n, dtype=torch.float), torch.ones(n)]))

    def forward(self, x: Tensor) -> Tensor:
        b, _, anchors = x.shape
        logits = x.view(b, 4, self.n, anchors)
        sums = self.steps @ (logits - logits.amax(2, keepdim=True)).exp()
        return sums[:, :, 0] / sums[:, :, 1]
