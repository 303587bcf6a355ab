"""Deploy-time fusing: what can be folded into the weights is, with equal outputs."""

from __future__ import annotations

import torch
from torch import nn

from .conv import ConvBNAct


@torch.no_grad()
def fuse(model: nn.Module) -> nn.Module:
    """Fold the batch norm of every block of ours in `model` into its convolution, in place.

    Outputs in eval mode stay equal up to rounding. A fused model is for inference: train from the unfused one.

    Returns:
        The same model.
    """
    for block in unfused(model):
        block.conv = _folded(block.conv, block.bn)
        block.bn = nn.Identity()  # in place of a new forward(), which would be pickled into checkpoints
    return model


def unfused(model: nn.Module) -> list[ConvBNAct]:
    """The conv–BN–activation blocks in `model` that still have their batch norm."""
    return [m for m in model.modules() if isinstance(m, ConvBNAct) and isinstance(m.bn, nn.BatchNorm2d)]


def _folded(conv: nn.Conv2d, bn: nn.Module) -> nn.Conv2d:
    assert isinstance(bn, nn.BatchNorm2d)
    assert bn.running_mean is not None
    assert bn.running_var is not None
    scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)
    conv.weight = nn.Parameter(conv.weight * scale.view(-1, 1, 1, 1), requires_grad=False)
    conv.bias = nn.Parameter(bn.bias - bn.running_mean * scale, requires_grad=False)
    return conv
