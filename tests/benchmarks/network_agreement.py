"""The networks beside the published implementations: the same weights in both, and the difference of what comes out.

Usage: python tests/benchmarks/network_agreement.py [--format markdown]

Agreement is the largest difference of the logits from those of timm's, torchvision's or pytorchcv's network with the
same random weights and batch-norm statistics, over images of 224×224 and 193×161; – where the package is not installed
(pip install yolo-plugins[imagenet]).
"""

import argparse
from importlib import import_module
from typing import Any

import torch
from torch import nn
from yolo_plugins import convert_weights, cost, ghostnet, mobilenet_v3, shufflenet_v1
from yolo_plugins.tables import FORMATS, table
from yolo_plugins.training.norm_statistics import measured_norms

SIZES = ((224, 224), (193, 161))

NETWORKS: list[tuple[Any, tuple[Any, ...], str, str]] = [
    *((ghostnet, (width,), "timm", f"ghostnet_{round(100 * width):03}") for width in (0.5, 1.0, 1.3)),
    *((mobilenet_v3, (kind,), "torchvision.models", f"mobilenet_v3_{kind}") for kind in ("large", "small")),
    *(
        (shufflenet_v1, (groups, width), "pytorchcv.model_provider", f"shufflenet_g{groups}_w{short}")
        for width, short, all_groups in ((1.0, "1", (1, 2, 3, 4, 8)), (0.5, "d2", (1, 3)), (0.25, "d4", (1, 3)))
        for groups in all_groups
    ),
]
"""Our constructor and its arguments, and the package and the name of the published network."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", choices=FORMATS, default="text")
    args = parser.parse_args()
    print(table(agreement(), args.format))


def agreement() -> list[dict[str, Any]]:
    """A row for each network of the papers: cost, its reference, and the largest difference from it."""
    rows = []
    for build, options, package, name in NETWORKS:
        network, other = build(*options), published(package, name)
        counted = cost(network, (3, 224, 224), runs=0)
        row = {"network": network.name, "params": counted.params, "MACs": counted.macs}
        row["reference"] = f"{package.split('.')[0]} {name}"
        rows.append({**row, "max difference": None if other is None else f"{difference(network, other):.1e}"})
    return rows


def published(package: str, name: str) -> nn.Module | None:
    """A published network without weights, or None where its package is not installed."""
    try:
        models = import_module(package)
    except ImportError:
        return None
    model: nn.Module = getattr(models, "create_model" if package == "timm" else "get_model")(name)
    if package.startswith("pytorchcv"):
        model.features.final_pool = nn.AdaptiveAvgPool2d(1)  # type: ignore[union-attr]  # its 7×7 pool fits 224×224 only
    return model


@torch.no_grad()
def difference(network: nn.Module, other: nn.Module) -> float:
    """With batch norms that have seen images: at their initial values they hide differences."""
    generator = torch.Generator().manual_seed(0)
    for module in other.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    with measured_norms(other):
        other(torch.randn(8, 3, 96, 96, generator=generator))
    network.load_state_dict(convert_weights(other.state_dict(), network))
    network.eval()
    images = [torch.randn(1, 3, *size, generator=generator) for size in SIZES]
    return max(float((network(x) - other(x)).abs().max()) for x in images)


if __name__ == "__main__":
    main()
