"""Deploy-time fusing of a whole model: what can be folded into the weights is, with equal outputs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from .dfl import ExpectedDistance
from .folding import Foldable


@torch.no_grad()
def fuse(model: nn.Module) -> nn.Module:
    """Fold, in place, what needs no computing of its own once the weights are fixed.

    Every batch norm of our blocks goes into its convolution, parallel branches become one, and an Ultralytics head's
    softmax over distances becomes `ExpectedDistance`. Outputs in eval mode stay equal up to rounding. A
    fused model is for inference: train from the unfused one.

    Returns:
        The same model.
    """
    for block in reversed(unfused(model)):  # parts come before what holds them
        block.fold()
    for module in model.modules():
        for name, child in module.named_children():
            if _is_ultralytics_dfl(child):
                weight = cast("nn.Conv2d", child.conv).weight
                setattr(module, name, ExpectedDistance(weight.numel()).to(weight))
    return model


def fusing_too(fuse_stock: Callable[..., Any]) -> Callable[..., Any]:
    """Ultralytics' `BaseModel.fuse`, folding our blocks after its own layers and reporting once, after both."""

    def fuse_both(self: Any, verbose: bool = True, *args: Any, **kwargs: Any) -> Any:
        if not unfused(self):
            return fuse_stock(self, verbose, *args, **kwargs)
        fuse_stock(self, False, *args, **kwargs)
        fuse(self)
        self.info(verbose=verbose)
        return self

    return fuse_both


def unfused_too(is_fused_stock: Callable[..., bool]) -> Callable[..., bool]:
    """Ultralytics' `BaseModel.is_fused`, false while one of our blocks has something to fold."""

    def is_fused(self: Any, *args: Any, **kwargs: Any) -> bool:
        return bool(is_fused_stock(self, *args, **kwargs)) and not unfused(self)

    return is_fused


def unfused(model: nn.Module) -> list[Foldable]:
    """The blocks in `model` that still have something to fold."""
    return [m for m in model.modules() if isinstance(m, Foldable) and not m.is_folded]


def _is_ultralytics_dfl(module: nn.Module) -> bool:
    blocks = sys.modules.get("ultralytics.nn.modules.block")
    return blocks is not None and isinstance(module, blocks.DFL)
