"""What folds away for deployment: batch norms and parallel branches that go into a convolution's weights."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn


class Foldable(nn.Module):
    """A block with something to fold once its weights are fixed; `fuse` calls `fold` after that of its parts."""

    @abstractmethod
    def fold(self) -> None:
        """Fold, in place; outputs in eval mode stay equal up to rounding."""

    @property
    @abstractmethod
    def is_folded(self) -> bool:
        """Whether nothing is left to fold here."""


def scale_and_shift(bn: nn.Module) -> tuple[Tensor, Tensor]:
    """A batch norm in eval mode as factor and summand of each channel."""
    assert isinstance(bn, nn.BatchNorm2d)
    assert bn.running_mean is not None
    assert bn.running_var is not None
    scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)
    return scale, bn.bias - bn.running_mean * scale


def folded(conv: nn.Conv2d, bn: nn.Module) -> nn.Conv2d:
    """A convolution, changed in place, that does what it and the batch norm after it did.

    The ranges of one that was trained for 8 bits (ModelOpt's) are scaled along, so that its filters round as they did.
    """
    scale, shift = scale_and_shift(bn)
    conv.weight = nn.Parameter(conv.weight * scale.view(-1, 1, 1, 1), requires_grad=False)
    shift = shift if conv.bias is None else conv.bias * scale + shift
    conv.bias = nn.Parameter(shift, requires_grad=False)
    if rounds(conv):
        quantizer: Any = conv.weight_quantizer
        quantizer.amax = quantizer.amax * scale.abs().view_as(quantizer.amax)
    return conv


def rounds(conv: nn.Module) -> bool:
    """Whether a convolution was trained for 8 bits, and rounds its filters (ModelOpt's, by `yolo train quantize=8`)."""
    return getattr(conv, "weight_quantizer", None) is not None
