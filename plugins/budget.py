"""Refusal of models that no machine should try to build: each tensor is counted before it takes memory.

A single number in a YAML can ask for more memory or time than there is. The limits are some times what the largest
models of Ultralytics take at 256×256: 174 million parameters and 49 billion multiply-adds (yolov6x), 11 million
elements in a map (yolov5x-p6), 2,300 tensors made (yolov9e).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn import init
from torch.overrides import TorchFunctionMode

MAX_PARAMETERS = 250_000_000
MAX_DRAWN = 300_000_000  # random numbers, of which some layers draw each weight's twice
MAX_MULTIPLY_ADDS = 150_000_000_000
MAX_ELEMENTS = 64_000_000
MAX_TENSORS = 12_000
MAX_OPERATIONS = 100_000
IMAGE = 256
"""Side of the image with which Ultralytics measures a detector's strides while building it."""

FACTORIES = {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn}
DRAWS = {init.kaiming_uniform_, init.kaiming_normal_, init.uniform_, init.normal_, Tensor.uniform_, Tensor.normal_}
CONVOLUTIONS = {torch.conv1d, torch.conv2d, torch.conv3d}
TRANSPOSED = {torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d}
PRODUCTS = {F.linear, torch.matmul, torch.bmm, Tensor.matmul, Tensor.__matmul__, Tensor.bmm}
GROWING = {
    F.interpolate,
    F.pad,
    F.adaptive_avg_pool1d,
    F.adaptive_avg_pool2d,
    F.adaptive_avg_pool3d,
    F.adaptive_max_pool1d,
    F.adaptive_max_pool2d,
    F.adaptive_max_pool3d,
    F.pixel_shuffle,
    F.fold,
    Tensor.repeat,
    *PRODUCTS,
}
"""Functions that may give much more than they take, tried on tensors without memory first."""


class TooLarge(ValueError):
    """More than any detector needs, and more than a small machine has."""


@contextmanager
def building(block: str, **counts: int) -> Iterator[None]:
    """Within it, a block's parts are built inside a budget.

    Raises:
        ValueError: naming the block and its counts, before too much is made.
    """
    try:
        with Budget():
            yield
    except TooLarge as error:
        raise ValueError(f"{block}: {', '.join(f'{name}={n}' for name, n in counts.items())} {error}") from None


class Budget(TorchFunctionMode):
    """Within it, torch refuses what is beyond the limits.

    Raises:
        TooLarge: before a tensor too many or too large is made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.tensors = self.parameters = self.drawn = self.multiply_adds = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self.operations += 1
        _limit(self.operations, MAX_OPERATIONS, "operations in all")
        if func in FACTORIES:
            self._made(_elements(args, kwargs))
        elif func in DRAWS:
            self.drawn += (args[0] if args else kwargs["tensor"]).numel()
            _limit(self.drawn, MAX_DRAWN, "random numbers with the rows above it")
        elif func in CONVOLUTIONS or func in TRANSPOSED:
            self._run(_convolved(func in TRANSPOSED, *args), math.prod(args[1].shape[1:]))
        elif func is F.unfold:
            self._run(args[0].numel() * math.prod(_pair(args[1])), 0)
        elif func in GROWING:
            self._run(_dry(func, args, kwargs), args[0].shape[-1] if func in PRODUCTS else 0)
        return func(*args, **kwargs)

    def _made(self, elements: int) -> None:
        self.tensors += 1
        self.parameters += elements
        _limit(self.tensors, MAX_TENSORS, "tensors in all")
        _limit(self.parameters, MAX_PARAMETERS, "parameters with the rows above it")

    def _run(self, elements: int, depth: int) -> None:
        self.multiply_adds += elements * depth
        _limit(elements, MAX_ELEMENTS, f"elements in one map at {IMAGE}×{IMAGE}")
        _limit(self.multiply_adds, MAX_MULTIPLY_ADDS, f"multiply-adds at {IMAGE}×{IMAGE} with the rows above it")


def _limit(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise TooLarge(f"needs {_large(count)} {what}, of which at most {_large(limit)} are built; make it smaller")


def _large(count: int) -> str:
    return f"{count:,}" if count < 10**15 else f"{count:.0e}"


def _elements(args: Sequence[Any], kwargs: dict[str, Any]) -> int:
    """Elements of the tensor that a factory is asked for; 0 where it will refuse the question itself."""
    size = args[0] if args and isinstance(args[0], (tuple, list)) else kwargs.get("size", args)
    return math.prod(size) if all(isinstance(n, int) and n >= 0 for n in size) else 0


def _convolved(
    transposed: bool, x: Tensor, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0, *rest: Any
) -> int:
    """Elements that a convolution gives: its output channels on every position."""
    sides = x.shape[2:]
    count = len(sides)
    strides, pads = _pair(stride, count), (0,) * count if isinstance(padding, str) else _pair(padding, count)
    if transposed:
        return x.shape[0] * weight.shape[1] * math.prod(n * max(s, 1) for n, s in zip(sides, strides, strict=False))
    places = ((n + 2 * p) // max(s, 1) + 1 for n, s, p in zip(sides, strides, pads, strict=False))
    return x.shape[0] * weight.shape[0] * math.prod(places)


def _pair(value: Any, count: int = 2) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else tuple(value)


def _dry(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> int:
    """Elements that a function gives, found without memory; 0 where it refuses what it is given."""
    try:
        out = func(*map(_bare, args), **{key: _bare(value) for key, value in kwargs.items()})
    except Exception:
        return 0
    return out.numel() if isinstance(out, Tensor) else 0


def _bare(value: Any) -> Any:
    return torch.empty_strided(value.shape, value.stride(), device="meta") if isinstance(value, Tensor) else value
