"""Any network of timm (PyTorch image models) as one row that gives its maps; weights by timm."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from ..blocks.geometry import require_positive
from ..blocks.registry import register
from ..blocks.signature import is_count
from .imagenet import fetching
from .weights import DEVIATION, MEAN

STRIDES = (8, 16, 32)

KEPT = ("eps", "momentum", "inplace")
"""Settings of a network's layers that Ultralytics writes over in every model that it builds."""


def published(name: str) -> bool:
    """Whether timm publishes weights of a network."""
    return bool(_config(name).has_weights)


@register("network", maps=True, source="timm", example={"c1": 3, "name": "mobilenetv4_conv_small"})
class Timm(nn.Module):
    """A network of timm by name, giving its maps at strides 8, 16 and 32, of which `Index` rows pick.

    `- [-1, 1, plugins.Timm, [mobilenetv4_conv_small, True]]`, then `- [0, 1, Index, [64, 0]]` for the first map, whose
    64 channels `map_channels` tells. Channels do not scale with the model's width. True loads the weights that timm
    publishes. Images are normalised here by the network's own mean and deviation, since YOLO feeds RGB from 0 to 1;
    batch norms keep the ε and momentum that their weights were trained with. Of several maps of one stride, the last.

    A checkpoint holds the network by name, with its tensors: loading it needs timm, but no weights of timm's and no
    trust in timm's classes. A network that was changed, such as by `replace`, is saved with all its classes.

    Shape: (B, c1, H, W) → list of maps (B, c, ⌈H/s⌉, ⌈W/s⌉), one for each stride s.

    Weak: `fuse` leaves timm's batch norms to the exporter; what a network exports to is the network's business.
    Elsewhere: Ultralytics' `TorchVision` gives every layer's output, does not normalise, and has its ε set to 10⁻³.

    Raises:
        ValueError: no such network, one without maps, without these strides or without weights, a count below 1, or an
            image of another size than the only one that the network takes.
        RuntimeError: timm is not installed, or cannot get the weights.
    """

    mean: Tensor
    deviation: Tensor
    has_weights = staticmethod(published)

    def __init__(self, c1: int, name: str, pretrained: bool = False, strides: Sequence[int] = STRIDES) -> None:
        super().__init__()
        require_positive("Timm", c1=c1)
        if not isinstance(pretrained, bool):
            raise ValueError(f"Timm: pretrained={pretrained!r} must be True or False")
        indices = [m.index for m in _chosen(name, strides)]
        self.made: dict[str, Any] = {"c1": c1, "name": name, "indices": indices}
        for buffer, values in zip(("mean", "deviation"), _normalisation(name, c1), strict=True):
            self.register_buffer(buffer, torch.tensor(values).view(1, -1, 1, 1))
        for_shapes = torch.empty(0).is_meta  # on the meta device, where nothing is fetched
        self.network = _build(**self.made, pretrained=pretrained and not for_shapes)
        self.kept = {
            part: {key: getattr(m, key) for key in KEPT if key in vars(m)} for part, m in self.network.named_modules()
        }

    @classmethod
    def map_channels(cls, name: str, pretrained: bool = False, strides: Sequence[int] = STRIDES) -> list[int]:
        """Channels of each of its maps.

        Raises:
            ValueError, RuntimeError: as for the class.
        """
        return [m.channels for m in _chosen(name, strides)]

    @classmethod
    def out_channels(cls, name: str, pretrained: bool = False, strides: Sequence[int] = STRIDES) -> int:
        """Channels of its last map."""
        return cls.map_channels(name, pretrained, strides)[-1]

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = self._maps((x - self.mean) / self.deviation)
        if str(getattr(self.network, "output_fmt", "NCHW")).endswith("NHWC"):
            return [y.permute(0, 3, 1, 2) for y in maps]
        return list(maps)

    def _maps(self, x: Tensor) -> Sequence[Tensor]:
        size = self._only_size()
        if size is None or tuple(x.shape[2:]) == size:
            return self.network(x)
        try:
            return self.network(x)
        except (AssertionError, RuntimeError, ValueError) as error:
            if isinstance(error, torch.cuda.OutOfMemoryError):
                raise
            given, own = ("×".join(map(str, s)) for s in (x.shape[2:], size))
            raise ValueError(
                f"Timm: {self.made['name']} takes images of {own} and refuses {given} "
                f"({(str(error).splitlines() or ['no reason'])[0]}); choose a network of any size, such as resnet18"
            ) from error

    def _only_size(self) -> tuple[int, ...] | None:
        """Height and width that the network was made for, if timm says that they are fixed."""
        config = getattr(self.network, "pretrained_cfg", None) or {}
        return tuple(config["input_size"][1:]) if config.get("fixed_input_size") else None

    def train(self, mode: bool = True) -> Timm:
        """Training or eval mode; what Ultralytics wrote over comes back."""
        for part, settings in getattr(self, "kept", {}).items():
            with suppress(AttributeError):  # a part that was replaced
                vars(self.network.get_submodule(part)).update(settings)
        super().train(mode)
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if _parts(self.network) != _fresh_parts(*self.made.values()):
            return state
        state["_modules"] = {}
        state["tensors"] = dict(_tensors(self.network))
        state["timm"] = import_module("timm").__version__
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        tensors, version = state.pop("tensors", None), state.pop("timm", "")
        super().__setstate__(state)
        if tensors is None:
            return
        network = _build(**self.made)
        own = {name for name, _ in _tensors(network)}
        if missing := sorted(own ^ set(tensors) & own):
            raise ValueError(
                f"Timm: {self.made['name']} has {len(missing)} tensors here, such as {missing[0]}, that the "
                f"checkpoint lacks; it was made with pip install timm=={version}"
            )
        _put(network, tensors)
        self.network = network
        self.train(self.training)

    def __deepcopy__(self, memo: dict[int, Any]) -> Timm:
        made = self.__new__(type(self))
        memo[id(self)] = made
        made.__dict__.update(copy.deepcopy(self.__dict__, memo))  # as it is, whatever was done to it
        return made


@dataclass(frozen=True)
class _Map:
    """One of the maps that a network can give: its number there, channels and stride."""

    index: int
    channels: int
    stride: int


def _chosen(name: str, strides: Sequence[int]) -> list[_Map]:
    """The last map of each stride."""
    if not isinstance(strides, (list, tuple)) or not strides or not all(is_count(s) and s > 0 for s in strides):
        raise ValueError(f"Timm: strides={strides!r} must be a list of whole numbers, such as [8, 16, 32]")
    if sorted(set(strides)) != list(strides):
        raise ValueError(f"Timm: strides={list(strides)} must ascend")
    _require_known(name)
    last = {m.stride: m for m in _all_maps(name)}
    if lacking := [str(s) for s in strides if s not in last]:
        raise ValueError(
            f"Timm: {name} has no map at stride {' and '.join(lacking)}; it has maps at {', '.join(map(str, last))}"
        )
    return [last[s] for s in strides]


def _require_known(name: str) -> None:
    if not isinstance(name, str):
        raise ValueError(f"Timm: name={name!r} must be a network of timm, such as mobilenetv4_conv_small")
    timm = _timm(name)
    if not name or not timm.is_model(name) or ":" in name:
        near = difflib.get_close_matches(name[:60], timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {len(timm.list_models())}, such as resnet18"
        raise ValueError(f"Timm: timm {timm.__version__} has no network {name[:60]!r}; {hint}")


def _timm(name: str) -> Any:
    try:
        return import_module("timm")
    except ImportError as error:
        raise RuntimeError(f"Timm: {name} is a network of timm: pip install yolo-plugins[timm]") from error


@lru_cache(maxsize=64)
def _all_maps(name: str) -> list[_Map]:
    info = _without_memory(name).feature_info
    return [
        _Map(index, channels, int(stride))
        for index, channels, stride in zip(info.out_indices, info.channels(), info.reduction(), strict=True)
    ]


def _without_memory(name: str, **options: Any) -> Any:
    """A network on the meta device, where its layers can be built there."""
    try:
        with torch.device("meta"):
            return _create(name, **options)
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        return _create(name, **options)


def _create(name: str, **options: Any) -> Any:
    try:
        return _timm(name).create_model(name, features_only=True, **options)
    except (AssertionError, AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"Timm: timm does not give {name}'s maps: {reason}") from error


def _build(c1: int, name: str, indices: Sequence[int], pretrained: bool = False) -> nn.Module:
    _require_known(name)
    options = {"in_chans": c1, "out_indices": tuple(indices)}
    if not pretrained:
        return _create(name, **options)
    if not _config(name).has_weights:
        raise ValueError(f"Timm: nobody publishes weights of {name} through timm; write False in place of True")
    with fetching("timm", name):
        return _timm(name).create_model(name, pretrained=True, features_only=True, **options)


def _config(name: str) -> Any:
    return import_module("timm.models").get_pretrained_cfg(name)


def _normalisation(name: str, c1: int) -> Iterator[list[float]]:
    """Mean and deviation of each channel of the image; those of red, green and blue, else their average."""
    config = _config(name)
    for values in (getattr(config, "mean", MEAN), getattr(config, "std", DEVIATION)):
        yield list(values) if len(values) == c1 else [sum(values) / len(values)] * c1


def _parts(network: nn.Module) -> list[tuple[str, Any]]:
    """What a network is made of: layers by class, parameters by shape."""
    layers = [(name, type(m)) for name, m in network.named_modules()]
    return [*layers, *((name, tuple(p.shape)) for name, p in network.named_parameters())]


@lru_cache(maxsize=8)
def _fresh(c1: int, name: str, indices: tuple[int, ...]) -> list[tuple[str, Any]]:
    return _parts(_without_memory(name, in_chans=c1, out_indices=indices))


def _fresh_parts(c1: int, name: str, indices: Sequence[int]) -> list[tuple[str, Any]]:
    return _fresh(c1, name, tuple(indices))


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters(remove_duplicate=False)
    yield from network.named_buffers(remove_duplicate=False)


def _put(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors themselves in the place of a network's own, of whatever type and on whatever device they are."""
    for name, tensor in tensors.items():
        owner, _, leaf = name.rpartition(".")
        part = network.get_submodule(owner)
        held: dict[str, Any] = part._parameters if isinstance(tensor, nn.Parameter) else part._buffers
        held[leaf] = tensor
