"""Deploy-time fusing: what can be folded into the weights is, with equal outputs."""

from __future__ import annotations

import sys
from typing import cast

import torch
from torch import Tensor, nn

from .conv import ConvBNAct
from .dfl import ExpectedDistance
from .repghost import RepGhostConv


@torch.no_grad()
def fuse(model: nn.Module) -> nn.Module:
    """Fold, in place, what needs no computing of its own once the weights are fixed.

    Every batch norm of our blocks goes into its convolution, the two branches of a `RepGhostConv` become one, and an
    Ultralytics head's softmax over distances becomes a product (`yolo_plugins.dfl`). Outputs in eval mode stay equal up
    to rounding. A fused model is for inference: train from the unfused one.

    Returns:
        The same model.
    """
    for block in unfused(model):
        block.conv = _folded(block.conv, block.bn)
        block.bn = nn.Identity()  # in place of a new forward(), which would be pickled into checkpoints
    for module in model.modules():
        if isinstance(module, RepGhostConv) and module.skip is not None:
            _add_to_middle(module.cheap.conv, *_scale_and_shift(module.skip))
            module.skip = None
        for name, child in module.named_children():
            if _is_ultralytics_dfl(child):
                weight = cast("nn.Conv2d", child.conv).weight
                setattr(module, name, ExpectedDistance(weight.numel()).to(weight))
    return model


def unfused(model: nn.Module) -> list[ConvBNAct]:
    """The conv–BN–activation blocks in `model` that still have their batch norm."""
    return [m for m in model.modules() if isinstance(m, ConvBNAct) and isinstance(m.bn, nn.BatchNorm2d)]


def _scale_and_shift(bn: nn.Module) -> tuple[Tensor, Tensor]:
    """A batch norm in eval mode as factor and summand of each channel."""
    assert isinstance(bn, nn.BatchNorm2d)
    assert bn.running_mean is not None
    assert bn.running_var is not None
    scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)
    return scale, bn.bias - bn.running_mean * scale


def _folded(conv: nn.Conv2d, bn: nn.Module) -> nn.Conv2d:
    scale, shift = _scale_and_shift(bn)
    conv.weight = nn.Parameter(conv.weight * scale.view(-1, 1, 1, 1), requires_grad=False)
    conv.bias = nn.Parameter(shift, requires_grad=False)
    return conv


def _add_to_middle(depthwise: nn.Conv2d, scale: Tensor, shift: Tensor) -> None:
    """Let a depthwise convolution also add scale · input + shift."""
    assert depthwise.bias is not None
    middle = depthwise.kernel_size[0] // 2
    depthwise.weight[:, 0, middle, middle] += scale
    depthwise.bias += shift


def _is_ultralytics_dfl(module: nn.Module) -> bool:
    blocks = sys.modules.get("ultralytics.nn.modules.block")
    return blocks is not None and isinstance(module, blocks.DFL)
