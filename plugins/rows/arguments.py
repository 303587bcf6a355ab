"""How a model YAML's row becomes a block's arguments.

A row is `[from, repeats, plugins.Block, [arguments]]`. What the arguments leave out — input channels, width and depth
scaling, repeats — is supplied here as Ultralytics does for its own blocks, by the block's kind of row
(`yolo_plugins.blocks.registry.ROWS`). Arguments that are channel counts are scaled by width: `c2`, or those that the
block's specification names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..blocks.registry import Spec, spec_of
from ..blocks.signature import check_positional, is_count, signature_of

Plan = tuple[int, int, list[Any]]
"""Output channels, repeats left to do outside the block, and the constructor's arguments."""

MODEL_WIDE = ("reg_max", "end2end")
"""Keys of a YAML that hold for every row whose block has a parameter of that name and that does not say it itself."""


@dataclass(frozen=True)
class Scale:
    """Width multiple and channel limit of a model's scale, and whether it is one of the large ones, m, l and x."""

    width: float = 1.0
    max_channels: float = math.inf
    large: bool = False

    def __call__(self, c: int) -> int:
        """Channels at this scale: limited, multiplied, rounded up to a multiple of 8, as Ultralytics does."""
        return math.ceil(min(c, self.max_channels) * self.width / 8) * 8


def plan(
    cls: type[nn.Module],
    inputs: int | Sequence[int],
    n: int,
    args: Sequence[Any],
    scale: Scale | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Plan:
    """Read one row: what `cls` is to be called with, and how many channels come out.

    Args:
        cls: A registered block.
        inputs: Channels of the row that `from` names, or of each of them.
        n: Repeats, depth-scaled already.
        args: The row's arguments.
        scale: Width scaling of the model.
        defaults: What the YAML says for all rows by the name of a parameter, such as `act` and `reg_max`; for blocks
            that have it and rows that do not give it.

    Raises:
        ValueError: arguments that do not fit the block's signature, with the block, the count or type, and its
            parameters.
    """
    spec = spec_of(cls)
    assert spec is not None, f"{cls.__name__} is not registered"
    if spec.row != "inputs" and not isinstance(inputs, int):
        raise ValueError(f"{cls.__name__} takes one input, but `from` names {len(inputs)} rows; Concat joins them")
    if spec.row == "network" and n != 1:
        raise ValueError(
            f"{cls.__name__} is a published network or a stage of one, so its row cannot be repeated {n} times"
        )
    given = _scaled(cls, spec, args, scale or Scale())
    supplied: dict[str, Any] = {}
    if "c1" in signature_of(cls):
        supplied["c1"] = [inputs] if spec.row == "inputs" and isinstance(inputs, int) else inputs
    if spec.row == "stage":
        supplied["n"], n = n, 1
    full = _in_order(cls, given, supplied)
    check_positional(cls, full, tuple(supplied))
    names = list(signature_of(cls))
    for name, value in (defaults or {}).items():
        if name in names[len(full) :]:
            _put(cls, full, name, value)
    for name, value in spec.large.items() if scale and scale.large else ():
        _put(cls, full, name, value)
    return _out(cls, spec, given, inputs), n, full


def _scaled(cls: type[nn.Module], spec: Spec, args: Sequence[Any], scale: Scale) -> list[Any]:
    """A row's arguments, channel counts scaled."""
    if spec.row == "same" or spec.row == "network":
        return list(args)
    if not args:
        raise ValueError(f"{cls.__name__} needs its output channels c2 as first argument, got []")
    names = [name for name in signature_of(cls) if name not in ("c1", "n")]
    names += [""] * (len(args) - len(names))
    return [
        scale(value) if name in spec.channels and is_count(value) else value
        for name, value in zip(names, args, strict=False)
    ]


def _in_order(cls: type[nn.Module], given: list[Any], supplied: dict[str, Any]) -> list[Any]:
    """The row's arguments with what is supplied put in at its place."""
    left, full = list(given), []
    for name in signature_of(cls):
        if name in supplied:
            full.append(supplied[name])
        elif left:
            full.append(left.pop(0))
        else:
            break
    return full + left


def _put(cls: type[nn.Module], full: list[Any], name: str, value: Any) -> None:
    """Set an argument by name; those between, which nobody gave, have their defaults."""
    parameters = signature_of(cls)
    position = list(parameters).index(name)
    full += [p.default for p in list(parameters.values())[len(full) : position + 1]]
    full[position] = value


def _out(cls: Any, spec: Spec, given: list[Any], inputs: Any) -> int:
    if spec.row == "same":
        return int(inputs)
    return int(cls.out_channels(*given)) if spec.row == "network" else given[0]
