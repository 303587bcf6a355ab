"""Cross-layer equalisation (1906.04721): ranges of channels made alike between two convolutions, with equal outputs.

A quantised map has one scale for all of its channels, so that of a channel a hundred times smaller than another two
bits are left. ReLU commutes with a positive factor: what one convolution's channel is divided by, the next multiplies
its filters of that channel by. The paper makes ranges of weights alike; weights have a scale for each output channel
here, so what is made alike are the ranges of the maps, measured on images, as far as the next filters bear it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from .calibration import observe

SMALLEST = 1 / 32
"""Of the largest channel's range: a channel below is not made larger than this one is. Empty channels would get filters
so small that their biases, counted in steps of them, have no room in 32 bits.
"""


@dataclass(frozen=True)
class Pair:
    """Convolutions with nothing, or nothing but a ReLU, between them: all that `first` gives goes to `then`."""

    first: str
    then: tuple[str, ...]
    relu: bool


@torch.no_grad()
def equalize(model: nn.Module, images: Sequence[Tensor]) -> list[Pair]:
    """Equalise, in place, every pair of convolutions of a fused model in eval mode; outputs stay equal up to rounding.

    Args:
        model: Batch norms are folded already.
        images: Batches (B, 3, H, W) on which the ranges of maps are measured.

    Returns:
        The pairs.
    """
    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    pairs = find_pairs(model, layers, images[0])
    ranges = _ranges(model, layers, pairs, images)
    for pair in pairs:  # which leaves the ranges of other pairs' maps as they are
        _balance(layers[pair.first], [layers[name] for name in pair.then], ranges[pair.first])
    return pairs


def find_pairs(model: nn.Module, layers: dict[str, nn.Conv2d], image: Tensor) -> list[Pair]:
    """The pairs of these layers in a model, by what its forward pass does."""
    record = _Record({id(layer.weight): name for name, layer in layers.items()})
    with record, torch.no_grad():
        model(image)
    pairs = []
    for name, uses in record.made.items():
        relu = len(uses) == 1 and isinstance(uses[0], _Map)
        after = uses[0].uses if relu else uses
        names = tuple(use for use in after if isinstance(use, str))
        if after and len(names) == len(after) and all(record.calls[n] == 1 for n in (name, *names)):
            pairs.append(Pair(name, names, relu))
    return pairs


@dataclass
class _Map:
    """A tensor that a convolution, or a ReLU after it, made: who uses it, by layer, as the ReLU's map, or as None."""

    uses: list[Any] = field(default_factory=list)


class _Record(TorchDispatchMode):
    """What becomes of every convolution's output."""

    def __init__(self, names: dict[int, str]) -> None:
        super().__init__()
        self.names = names
        self.maps: dict[int, _Map] = {}
        self.alive: list[Tensor] = []  # so that no other tensor gets the identity of one that is recorded
        self.made: dict[str, list[Any]] = {}
        self.calls: dict[str, int] = defaultdict(int)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = [x for x in tree_flatten((args, kwargs or {}))[0] if isinstance(x, Tensor)]
        known = [self.maps[id(x)] for x in inputs if id(x) in self.maps]
        out = func(*args, **(kwargs or {}))
        operation = str(func.overloadpacket).removeprefix("aten.")
        if operation == "convolution" and (name := self.names.get(id(args[1]))):
            self._use(known, name)
            self.calls[name] += 1
            self.made[name] = self._follow(out).uses
        elif operation in ("relu", "relu_") and known:
            after = self._follow(out)  # in place, the same tensor from now on
            self._use(known, after)
        else:
            self._use(known, None)
        return out

    def _follow(self, tensor: Tensor) -> _Map:
        self.alive.append(tensor)
        self.maps[id(tensor)] = made = _Map()
        return made

    @staticmethod
    def _use(maps: list[_Map], by: Any) -> None:
        for used in maps:
            used.uses.append(by)


def _ranges(
    model: nn.Module, layers: dict[str, nn.Conv2d], pairs: Sequence[Pair], images: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Largest size of each channel of the map that passes between the layers of each pair."""
    largest: dict[str, Tensor] = {}

    def watch(pair: Pair) -> Any:
        def hook(module: nn.Module, args: Any, output: Tensor) -> None:
            now = (output.relu() if pair.relu else output.abs()).amax((0, 2, 3))
            largest[pair.first] = torch.maximum(largest.get(pair.first, now), now)

        return hook

    hooks = [layers[pair.first].register_forward_hook(watch(pair)) for pair in pairs]
    observe(model, images, hooks)
    return largest


def _balance(first: nn.Conv2d, then: Sequence[nn.Conv2d], largest: Tensor) -> None:
    """Divide the channels of `first` by factors that `then` multiplies by."""
    if not float(largest.max()) > 0:
        return
    ranges = largest.clamp(min=SMALLEST * float(largest.max()))
    if all(layer.groups == layer.in_channels for layer in then):
        factor = ranges  # a depthwise filter has a scale of its own: maps can be made wholly alike
    else:
        weights = torch.stack([_share(layer) for layer in then]).amax(0)
        factor = (ranges / weights.clamp(min=SMALLEST)).sqrt()
    factor = factor / factor.log().mean().exp()
    first.weight.div_(factor.view(-1, 1, 1, 1))
    if first.bias is not None:
        first.bias.div_(factor)
    for layer in then:
        layer.weight.mul_(_per_input(layer, factor))


def _share(layer: nn.Conv2d) -> Tensor:
    """How large each input channel's filters are beside the largest of the same output channel, 0 to 1."""
    weight = layer.weight.abs().amax((2, 3))
    share = weight / weight.amax(1, keepdim=True).clamp(min=1e-12)
    return share.view(layer.groups, -1, share.shape[1]).amax(1).flatten()


def _per_input(layer: nn.Conv2d, factor: Tensor) -> Tensor:
    """A factor for each input channel in the shape of the layer's weight (c2, c1/g, k, k)."""
    groups = factor.view(layer.groups, 1, -1).expand(-1, layer.out_channels // layer.groups, -1)
    return groups.reshape(layer.out_channels, -1, 1, 1)
