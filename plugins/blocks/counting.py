"""Parameters and multiply-adds of a module. One multiply-add counts as one; Ultralytics' GFLOPs are twice that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(module: nn.Module) -> int:
    """How many parameters a module has, batch norms included."""
    return sum(p.numel() for p in module.parameters())


@contextmanager
def evaluated(module: nn.Module) -> Iterator[None]:
    """Inside, a module is in eval mode and no gradients are kept; each part's own mode comes back after it."""
    modes = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes.items():
            part.training = training


def multiply_adds(module: nn.Module, *inputs: Any) -> int:
    """Multiply-adds of convolutions and linear layers in one pass in eval mode, as in papers."""
    counter = FlopCounterMode(display=False)
    with evaluated(module), counter:
        module(*inputs)
    return int(counter.get_total_flops()) // 2
