"""What folds away for deployment: batch norms and parallel branches that go into a convolution's weights."""

from __future__ import annotations

from abc import abstractmethod

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
    """A convolution, changed in place, that does what it and the batch norm after it did."""
    scale, shift = scale_and_shift(bn)
    conv.weight = nn.Parameter(conv.weight * scale.view(-1, 1, 1, 1), requires_grad=False)
    shift = shift if conv.bias is None else conv.bias * scale + shift
    conv.bias = nn.Parameter(shift, requires_grad=False)
    return conv
