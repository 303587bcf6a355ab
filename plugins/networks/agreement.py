"""The networks beside the published implementations: the same weights in both, and the difference of what comes out."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import nn

from ..costs import cost
from ..norm_statistics import measured_norms
from .ghostnet import ghostnet
from .mobilenetv3 import mobilenet_v3
from .network import Network
from .shufflenet import shufflenet_v1
from .weights import convert_weights

SIZES = ((224, 224), (193, 161))


def agreement() -> list[dict[str, Any]]:
    """A row for each network of the papers: cost, its reference, and the largest difference from it."""
    rows = []
    for build, options, package, name in _networks():
        network: Network = build(*options)
        counted = cost(network, (3, 224, 224), runs=0)
        published = _published(package, name)
        rows.append(
            {
                "network": network.name,
                "params": counted.params,
                "MACs": counted.macs,
                "reference": f"{package.split('.')[0]} {name}",
                "max difference": None if published is None else f"{_difference(network, published):.1e}",
            }
        )
    return rows


def _networks() -> list[tuple[Any, tuple[Any, ...], str, str]]:
    ghostnets = [(width, f"ghostnet_{round(100 * width):03}") for width in (0.5, 1.0, 1.3)]
    shufflenets = [(groups, 1.0, f"g{groups}_w1") for groups in (1, 2, 3, 4, 8)]
    narrow = [
        (groups, width, f"g{groups}_w{short}") for width, short in ((0.5, "d2"), (0.25, "d4")) for groups in (1, 3)
    ]
    return [
        *((ghostnet, (width,), "timm", name) for width, name in ghostnets),
        *((mobilenet_v3, (kind,), "torchvision.models", f"mobilenet_v3_{kind}") for kind in ("large", "small")),
        *(
            (shufflenet_v1, (groups, width), "pytorchcv.model_provider", f"shufflenet_{name}")
            for groups, width, name in shufflenets + narrow
        ),
    ]


def _published(package: str, name: str) -> nn.Module | None:
    try:
        models = import_module(package)
    except ImportError:
        return None
    model: nn.Module = getattr(models, "create_model" if package == "timm" else "get_model")(name)
    if package.startswith("pytorchcv"):
        model.features.final_pool = nn.AdaptiveAvgPool2d(1)  # type: ignore[union-attr]  # its 7×7 pool fits 224×224 only
    return model


@torch.no_grad()
def _difference(network: Network, published: nn.Module) -> float:
    """With batch norms that have seen images: at their initial values they hide differences."""
    generator = torch.Generator().manual_seed(0)
    for module in published.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    with measured_norms(published):
        published(torch.randn(8, 3, 96, 96, generator=generator))
    network.load_state_dict(convert_weights(published.state_dict(), network))
    network.eval()
    images = [torch.randn(1, 3, *size, generator=generator) for size in SIZES]
    return max(float((network(x) - published(x)).abs().max()) for x in images)
