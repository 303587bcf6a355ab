"""Batch norms' statistics from data, for weights that were never trained or that have changed since."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def measured_norms(model: nn.Module) -> Iterator[None]:
    """Inside, batch norms take their statistics anew, as means over all that the model is given; it ends in eval mode.

    With fresh statistics the maps of a network without training fade to nothing: all inputs would give one output, a
    wrong export could not be told from a right one, and numbers too small for the processor's fast path would be slow.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all calls: a head's norms are called once a scale
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        model.eval()
