"""What stages are composed of: an inner block and a gate, each chosen by name in the row itself.

A name may carry arguments of its own, as a call with plain values: `GhostBottleneck`, `DWConv(d=2)`, `SE(r=8)`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from .activation import Act
from .conv import ConvBNAct
from .registry import BLOCKS, PREFIX, Spec, find, part, spec_of
from .signature import EMPTY, refuse_unknown, signature_of


@dataclass(frozen=True)
class Choice:
    """A registered block, and the arguments that it is to have beside its channels."""

    block: type[nn.Module]
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{self.block.__name__}({options})" if options else self.block.__name__

    @property
    def spec(self) -> Spec:
        spec = spec_of(self.block)
        assert spec is not None
        return spec

    def told(self, **about: Any) -> dict[str, Any]:
        """The options, and before them whatever of `about` the block has a parameter for."""
        return {**{k: v for k, v in about.items() if k in signature_of(self.block)}, **self.options}


Part = str | type[nn.Module] | Choice
"""A block by name, with arguments if it has any to be given: `SE`, `ShuffleUnit(g=4)`."""


def choice(text: Part) -> Choice:
    """The block that a name, with or without arguments, stands for.

    Raises:
        ValueError: no such block or argument, or arguments that are not plain values by name.
    """
    if isinstance(text, Choice):
        return text
    if isinstance(text, type) and spec_of(text):
        return Choice(text)  # this very class, whatever else goes by its name
    try:
        call = ast.parse(str(text).strip(), mode="eval").body
        func, keywords = (call.func, call.keywords) if isinstance(call, ast.Call) else (call, [])
        name = ast.unparse(func).removeprefix(PREFIX)
        if (isinstance(call, ast.Call) and call.args) or not name.isidentifier():
            raise ValueError
        options = {str(k.arg): ast.literal_eval(k.value) for k in keywords}
    except (SyntaxError, ValueError):
        raise ValueError(f"{text!r} names no block; write one as GhostBottleneck or ShuffleUnit(g=4)") from None
    block = find(name)
    if "d" in options and "d" not in signature_of(block):
        able = [name for name, cls in BLOCKS.items() if "d" in signature_of(cls)]
        raise ValueError(f"{name} cannot be dilated; {', '.join(able)} can")
    refuse_unknown(block, options)
    return Choice(block, options)


@part
class Bottleneck(nn.Module):
    """Two layers and an optional gate, with the input added where `shortcut` is true.

    Shape: (B, c, H, W) → the same.
    """

    def __init__(self, cv1: nn.Module, cv2: nn.Module, gate: nn.Module | None = None, shortcut: bool = False) -> None:
        super().__init__()
        self.cv1 = cv1
        self.cv2 = cv2
        self.gate = gate or nn.Identity()
        self.add = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.gate(self.cv2(self.cv1(x)))
        return x + y if self.add else y


class Inner:
    """Makes a stage's parts: its inner blocks, c → c channels, and the 1×1 convolutions around them.

    A block that stands for a bottleneck, or whose row keeps its channels, is an inner block as it is; any other makes
    two layers of a bottleneck, of which the second alone takes a dilation. A gate stands on the branch, before the sum.

    Args:
        inner: The inner block.
        gate: The gate, or nothing.
        shortcut: Whether inner blocks add their input.
        act: Activation of what does not bring its own.

    Raises:
        ValueError: blocks that do not keep their channels, or a gate that is none.
    """

    def __init__(self, inner: Part, gate: Part | None, shortcut: bool, act: Act) -> None:
        self.inner, self.gate = choice(inner), choice(gate) if gate else None
        self.shortcut, self.act = shortcut, act
        spec, name = self.inner.spec, self.inner.block.__name__
        self.whole = spec.row == "same" or "bottleneck" in spec.places
        if not keeps_shape(self.inner.block):
            reason = "its rows do not make c channels of c and keep H×W"
            raise ValueError(f"{name} cannot be an inner block: {reason}; {', '.join(inners())} can")
        if self.gate and not self.gate.spec.gate:
            raise ValueError(f"{self.gate.block.__name__} is no gate; gates are {', '.join(gates())}")

    def __call__(self, c: int, kernels: tuple[int, int] = (3, 3), hidden: int | None = None) -> nn.Module:
        """An inner block; kernels and hidden channels are those of a bottleneck's two layers."""
        gate = self.gate.block(c, **self.gate.options) if self.gate else None
        if not self.whole:
            return self._layers(c, kernels, hidden or c, gate)
        block = self.inner.block
        about: dict[str, Any] = {"shortcut": self.shortcut and gate is None, "act": self.act}
        if "mid" in signature_of(block) and signature_of(block)["mid"].default is EMPTY:
            about["mid"] = c // 2
        made = block(**{name: c for name in ("c1", "c2") if name in signature_of(block)}, **self.inner.told(**about))
        if gate is None:
            return made
        return Bottleneck(made, nn.Identity(), gate, self.shortcut and "shortcut" in signature_of(block))

    def _layers(self, c: int, kernels: tuple[int, int], hidden: int, gate: nn.Module | None) -> Bottleneck:
        block = self.inner.block
        first, second = (self.inner.told(k=k, act=self.act) for k in kernels)
        first.pop("d", None)
        return Bottleneck(block(c, hidden, **first), block(hidden, c, **second), gate, self.shortcut)

    def around(self, c1: int, c2: int) -> nn.Module:
        """A 1×1 convolution of the stage."""
        return (self.inner.spec.outer or ConvBNAct)(c1, c2, act=self.act)


def keeps_shape(cls: type[nn.Module]) -> bool:
    """Whether a block can be an inner one: it can make c channels of c, and keeps H×W without being told to."""
    spec = spec_of(cls)
    if spec is None or spec.gate or spec.task or not {"up", "stage"}.isdisjoint(spec.places):
        return False
    stride = signature_of(cls)["s"].default if "s" in signature_of(cls) else 1
    return stride in (1, EMPTY) and (spec.row == "same" or not {"conv", "bottleneck"}.isdisjoint(spec.places))


def inners() -> list[str]:
    """Names of the blocks that may be inside a stage."""
    return [name for name, cls in BLOCKS.items() if keeps_shape(cls)]


def gates() -> list[str]:
    """Names of the blocks that may stand on an inner block's branch."""
    return [name for name, cls in BLOCKS.items() if (spec := spec_of(cls)) and spec.gate]
