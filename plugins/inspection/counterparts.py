"""What a block stands in for, so that both can be counted and timed on the same input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..blocks.composition import Bottleneck, Choice
from ..blocks.conv import ConvBNAct
from ..blocks.counting import evaluated
from ..blocks.registry import BLOCKS, Spec, spec_of
from ..blocks.signature import bound, signature_of
from ..blocks.stages import C2f
from .block_costs import plain

NEUTRAL = 64
"""Channels of the maps for a block that takes any."""


@dataclass(frozen=True)
class Pair:
    """A block where it is used, and what would be there without it, in words too; both take maps of `channels`."""

    ours: nn.Module
    other: nn.Module
    words: str
    channels: Any


def example(block: str, factor: int = 1) -> dict[str, Any]:
    """Every argument of a block by name, as its specification shows it, its channels times a factor.

    Raises:
        ValueError: the block needs an argument of which its specification gives no example.
    """
    cls = BLOCKS[block]
    spec = spec_of(cls)
    assert spec is not None
    taken = signature_of(cls)
    given = {name: value for name, value in {"c1": 64, "c2": 64, **spec.example}.items() if name in taken}
    for name in {"c1", *spec.channels} & set(given):
        given[name] = _times(given[name], factor)
    return bound(cls, given)


def maps(block: str, channels: Any, size: int) -> Tensor | list[Tensor]:
    """An input for the block: noise of the size, for several inputs a list; a head's maps are each half the one before.

    Shape: (1, channels, size, size).
    """
    if isinstance(channels, int):
        return torch.rand(1, channels, size, size)
    spec = spec_of(BLOCKS[block])
    is_head = spec is not None and bool(spec.task)
    sides = [max(1, size >> i) if is_head else size for i in range(len(channels))]
    return [torch.rand(1, c, side, side) for c, side in zip(channels, sides, strict=True)]


def pair(block: str, full: Mapping[str, Any]) -> Pair | None:
    """A block with these arguments beside what it stands for, or None where that is nothing, or itself.

    A gate is shown in a C2f, twice as wide as the gate, beside a C2f without it.
    """
    cls = BLOCKS[block]
    spec = spec_of(cls)
    assert spec is not None
    if spec.task:
        return Pair(cls(**full), _stock_head(spec.task, full), f"Ultralytics' {spec.task} head", full["c1"])
    if spec.gate:
        c, options = 2 * full["c1"], {name: value for name, value in full.items() if name != "c1"}
        return Pair(C2f(c, c, 1, True, gate=Choice(cls, options)), C2f(c, c, 1, True), f"C2f({c}, {c}) without it", c)
    block_of_it = cls(**full)
    other = _other(spec, block, full, block_of_it)
    return Pair(block_of_it, *other, full.get("c1", NEUTRAL)) if other and type(other[0]) is not cls else None


def _other(spec: Spec, block: str, full: Mapping[str, Any], module: nn.Module) -> tuple[nn.Module, str] | None:
    """What a block that is neither head nor gate stands for, and that in words."""
    if spec.row == "stage":
        return plain(block, full), "a plain C2f"
    k = full.get("k", 3)
    if spec.row == "conv" and "conv" not in spec.places:
        return _two_convolutions(full, k), f"two plain {k}×{k} convolutions"
    if spec.row == "conv":
        return plain(block, full), f"a plain {k}×{k} convolution"
    if spec.row == "inputs":
        return _Concatenation(), "a concatenation"
    if spec.row == "same":
        x = maps(block, full.get("c1", NEUTRAL), 8)
        with evaluated(module):
            grown = module(x).shape[2] // 8
        if grown > 1:
            return nn.Upsample(scale_factor=grown), f"a nearest upsampling by {grown}"
        if "k" in full:
            return plain(block, {**full, "c2": full["c1"]}), f"a plain {k}×{k} convolution"
        return (nn.SiLU(), "SiLU") if "c1" not in full else None
    return None


def _two_convolutions(full: Mapping[str, Any], k: int) -> nn.Module:
    """What a bottleneck is when it is plain, with its input added where that has its shape."""
    c1, c2, s, act = full["c1"], full["c2"], full.get("s", 1), full.get("act", "relu")
    return Bottleneck(ConvBNAct(c1, c2, k, s, act=act), ConvBNAct(c2, c2, k, act=act), shortcut=s == 1 and c1 == c2)


def _stock_head(task: str, full: Mapping[str, Any]) -> nn.Module:
    from ultralytics.nn import modules

    c1, nc = full["c1"], full["nc"]
    if task == "classify":
        return modules.Classify(c1, nc)
    channels = tuple(c1)
    return (
        modules.Segment(nc, full["nm"], full["npr"], ch=channels)
        if task == "segment"
        else modules.Detect(nc, ch=channels)
    )


class _Concatenation(nn.Module):
    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(maps), dim=1)


def _times(channels: Any, factor: int) -> Any:
    if isinstance(channels, (list, tuple)):
        return [c * factor for c in channels]
    return channels * factor if isinstance(channels, int) else channels
