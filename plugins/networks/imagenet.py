"""ImageNet weights, fetched through the packages that publish them, for the networks and for detectors made of them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from typing import Any
from urllib.request import getproxies

from torch import Tensor, nn

from ..blocks.conv import ConvBNAct
from .network import Network, NetworkStage
from .weights import absorb_normalisation, convert_weights, set_epsilon

CLASSES = 1000


def fetch(package: str, name: str) -> Mapping[str, Tensor]:
    """The published state dict of a model: downloaded and cached by its package.

    Raises:
        RuntimeError: the package is not installed, or cannot get the weights.
    """
    module, load = PACKAGES[package]
    try:
        models = import_module(module)
    except ImportError as error:
        raise RuntimeError(
            f"{name}'s ImageNet weights come through {package}: pip install yolo-plugins[imagenet]"
        ) from error
    with fetching(package, name):
        return load(models, name).state_dict()


@contextmanager
def fetching(package: str, name: str) -> Iterator[None]:
    """Inside, a package fetches a model's weights: without output, at once where there is no network.

    Raises:
        RuntimeError: it cannot get them.
    """
    constants: Any = import_module("huggingface_hub.constants") if package == "timm" else None
    before = getattr(constants, "HF_HUB_OFFLINE", None)
    try:
        if constants is not None and not _reachable("huggingface.co"):
            constants.HF_HUB_OFFLINE = before or not getproxies()  # else it retries for most of a minute
        with redirect_stdout(StringIO()):  # pytorchcv counts its attempts there
            yield
    except Exception as error:  # each package fails in its own way, down to sockets
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RuntimeError(
            f"{name}'s ImageNet weights could not be fetched through {package}, which needs the internet once: {reason}"
        ) from error
    finally:
        if constants is not None:
            constants.HF_HUB_OFFLINE = before


def _reachable(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, 443))
    except OSError:
        return False


PACKAGES: dict[str, tuple[str, Callable[[Any, str], nn.Module]]] = {
    "timm": ("timm", lambda models, name: models.create_model(name, pretrained=True)),
    "torchvision": ("torchvision.models", lambda models, name: models.get_model(name, weights="DEFAULT")),
    "pytorchcv": ("pytorchcv.model_provider", lambda models, name: models.get_model(name, pretrained=True)),
}


def load_pretrained(network: Network) -> Network:
    """Load ImageNet weights into a network, in place; a classifier of other than 1000 classes stays as it is.

    Raises:
        ValueError: other than 3 input channels, or nobody publishes weights for the network's options.
        RuntimeError: as `fetch`.
    """
    if network.in_channels != 3:
        raise ValueError(
            f"{network.name}: ImageNet weights take 3 input channels, got in_channels={network.in_channels}"
        )
    own = network.state_dict()
    trained = _published(network.stage, network.options)[0].state_dict()
    fitting = {name: tensor for name, tensor in trained.items() if name in own and own[name].shape == tensor.shape}
    network.load_state_dict(fitting, strict=False)
    return network


@dataclass(frozen=True)
class Transfer:
    """What ImageNet weights went into a model: their source, tensors loaded of all, and rows that stayed random."""

    source: str
    loaded: int
    total: int
    random_rows: list[int]


def load_imagenet(model: nn.Module) -> Transfer:
    """Load ImageNet weights into the rows of a YAML model that are stages of a published network, in place.

    In eval mode the rows compute what the published network computes on the normalised image, but for the border pixels
    of the first convolution: ImageNet's normalisation goes into that convolution, since YOLO feeds RGB from 0 to 1, and
    the ε that Ultralytics sets goes into the batch norms' weights.

    Args:
        model: A model that Ultralytics has built, with its rows in `model.model`.

    Raises:
        ValueError: no such rows, rows of two networks, or nobody publishes weights for their options.
        RuntimeError: as `fetch`.
    """
    rows = model.model
    assert isinstance(rows, nn.Sequential)
    stages = {i: row for i, row in enumerate(rows) if isinstance(row, NetworkStage)}
    kinds = {(type(row), row.options) for row in stages.values()}
    if len(kinds) != 1:
        found = " and ".join(sorted(cls.describe(*options) for cls, options in kinds)) or "none"
        raise ValueError(
            f"rows of exactly one published network are needed, as in yolov8n-ghostnet.yaml; found {found}"
        )
    whole, source = _published(*kinds.pop())
    stem = next(m for m in whole.modules() if isinstance(m, ConvBNAct))
    assert isinstance(stem.bn, nn.BatchNorm2d)
    absorb_normalisation(stem.conv, stem.bn)
    trained: dict[str, Tensor] = {}
    for i, row in stages.items():
        counterpart = whole.model[row.stage]
        for theirs, ours in zip(counterpart.modules(), row.modules(), strict=True):
            if isinstance(theirs, nn.BatchNorm2d) and isinstance(ours, nn.BatchNorm2d):
                set_epsilon(theirs, ours.eps)
        trained |= {f"{i}.{name}": tensor for name, tensor in counterpart.state_dict().items()}
    head = len(rows) - 1
    trained |= {f"{head}.{name}": tensor for name, tensor in whole.model[-1].state_dict().items()}
    own = rows.state_dict()
    fitting = {name: tensor for name, tensor in trained.items() if name in own and own[name].shape == tensor.shape}
    rows.load_state_dict(fitting, strict=False)
    left = sorted({int(name.split(".")[0]) for name in own if name not in fitting})
    return Transfer(source, len(fitting), len(own), left)


def _published(stage: type[NetworkStage], options: Sequence[Any]) -> tuple[Network, str]:
    """A network with its ImageNet classifier, and where the weights are from."""
    network = Network(stage, options, num_classes=CLASSES)
    if tuple(options) not in stage.published:
        names = ", ".join(stage.describe(*known) for known in stage.published)
        raise ValueError(f"nobody publishes ImageNet weights for {network.name}; they exist for {names}")
    package, name = stage.published[tuple(options)]
    network.load_state_dict(convert_weights(fetch(package, name), network))
    return network, f"{package} {name}"
