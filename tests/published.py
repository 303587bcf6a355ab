"""The published networks that ours are compared with, and weights for them that need no download."""

from __future__ import annotations

import pytest
import torch
from torch import nn


def from_timm(name: str) -> nn.Module:
    return pytest.importorskip("timm").create_model(name)


def from_torchvision(name: str, **options: float) -> nn.Module:
    return getattr(pytest.importorskip("torchvision").models, name)(**options)


def from_pytorchcv(groups: int, width: float) -> nn.Module:
    model = pytest.importorskip("pytorchcv.models.shufflenet").get_shufflenet(groups, width)
    model.features.final_pool = nn.AdaptiveAvgPool2d(1)  # its 7×7 pool fits 224×224 only
    return model


def trained(model: nn.Module) -> nn.Module:
    """Batch norms as training leaves them: at their initial values they would hide what is wrong.

    Weights are scaled down, so that variances are small and ε tells.
    """
    generator = torch.Generator().manual_seed(0)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [m.momentum for m in norms]
    for m in model.modules():
        if isinstance(m, nn.Conv2d) and m.bias is None:
            m.weight.data *= 0.2
    for m in norms:
        m.weight.data.uniform_(0.8, 1.6, generator=generator)
        m.bias.data.uniform_(-0.3, 0.3, generator=generator)
        m.momentum = None  # the average over the batches below
    model.train()
    with torch.no_grad():
        for _ in range(2):
            model(torch.randn(4, 3, 96, 96, generator=generator))
    for m, momentum in zip(norms, momenta, strict=True):
        m.momentum = momentum
    return model.eval()


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
