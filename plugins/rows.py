"""How a model YAML's row becomes a block's arguments.

A row is `[from, repeats, plugins.Block, [arguments]]`. What the arguments leave out — input channels, width and depth
scaling, repeats — is supplied here as Ultralytics does for its own blocks, by the block's kind of row, `Block.row`:

- "conv": `[c2, …]` → `Block(c1, c2, …)`
- "stage": `[c2, …]` → `Block(c1, c2, n, …)`, the repeats inside the block
- "same": `[…]` → `Block(c1, …)`, or `Block(…)` for a block without `c1`; the channels stay as they are
- "inputs": `[c2, …]` → `Block([c1, …], c2, …)`, for several `from` rows
- "network": `[…]` → `Block(c1, …)` giving `Block.out_channels(…)` channels, which a published table fixes

Arguments that are channel counts are scaled by width: `c2`, and those that `Block.channels` names.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

Plan = tuple[int, int, list[Any]]
"""Output channels, repeats left to do outside the block, and the constructor's arguments."""


@dataclass(frozen=True)
class Scale:
    """Width multiple and channel limit of a model's scale."""

    width: float = 1.0
    max_channels: float = math.inf

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
        cls: The block.
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
    given = list(args)
    kind: str = getattr(cls, "row")  # noqa: B009  an attribute of blocks, not of every Module
    if kind != "inputs" and not isinstance(inputs, int):
        raise ValueError(f"{cls.__name__} takes one input, but `from` names {len(inputs)} rows; Concat joins them")
    parameters = list(inspect.signature(cls, eval_str=True).parameters.values())
    c2, n, full, supplied = READERS[kind](cls, parameters, inputs, n, given, scale or Scale())
    _check(cls, parameters, full, supplied)
    names = [p.name for p in parameters]
    for name in names[len(full) :]:
        if name in (defaults or {}):
            position = names.index(name)
            full += [p.default for p in parameters[len(full) : position]] + [(defaults or {})[name]]
    return c2, n, full


Reader = Callable[
    [type[nn.Module], list[inspect.Parameter], Any, int, list[Any], Scale], tuple[int, int, list[Any], set[str]]
]


def _read_conv(
    cls: type[nn.Module], parameters: list[inspect.Parameter], inputs: Any, n: int, args: list[Any], scale: Scale
) -> tuple[int, int, list[Any], set[str]]:
    """Channels in, and the scaled channels out, before the other arguments."""
    if not args:
        raise ValueError(f"{cls.__name__} needs its output channels c2 as first argument, got []")
    names = [p.name for p in parameters if p.name not in ("c1", "n")]
    channels = getattr(cls, "channels", ("c2",))
    scaled = [
        scale(value) if name in channels and _is_count(value) else value
        for name, value in zip(names, args, strict=False)
    ]
    return scaled[0], n, [inputs, *scaled, *args[len(scaled) :]], {"c1"}


def _read_stage(
    cls: type[nn.Module], parameters: list[inspect.Parameter], inputs: Any, n: int, args: list[Any], scale: Scale
) -> tuple[int, int, list[Any], set[str]]:
    c2, n, full, _ = _read_conv(cls, parameters, inputs, n, args, scale)
    return c2, 1, [*full[:2], n, *full[2:]], {"c1", "n"}


def _read_same(
    cls: type[nn.Module], parameters: list[inspect.Parameter], inputs: Any, n: int, args: list[Any], scale: Scale
) -> tuple[int, int, list[Any], set[str]]:
    if parameters and parameters[0].name == "c1":
        return inputs, n, [inputs, *args], {"c1"}
    return inputs, n, list(args), set()


def _read_inputs(
    cls: type[nn.Module], parameters: list[inspect.Parameter], inputs: Any, n: int, args: list[Any], scale: Scale
) -> tuple[int, int, list[Any], set[str]]:
    return _read_conv(cls, parameters, [inputs] if isinstance(inputs, int) else list(inputs), n, args, scale)


def _read_network(
    cls: type[nn.Module], parameters: list[inspect.Parameter], inputs: Any, n: int, args: list[Any], scale: Scale
) -> tuple[int, int, list[Any], set[str]]:
    if n != 1:
        raise ValueError(f"{cls.__name__} is one stage of a published network, so its row cannot be repeated {n} times")
    full = [inputs, *args]
    _check(cls, parameters, full, {"c1"})
    return getattr(cls, "out_channels")(*args), n, full, {"c1"}  # noqa: B009  a method of networks' stages


READERS: dict[str, Reader] = {
    "conv": _read_conv,
    "stage": _read_stage,
    "same": _read_same,
    "inputs": _read_inputs,
    "network": _read_network,
}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check(cls: type[nn.Module], parameters: list[inspect.Parameter], args: list[Any], supplied: set[str]) -> None:
    """Refuse arguments that do not fit the signature, in the row's own terms: without what is supplied for it."""
    own = [p for p in parameters if p.name not in supplied]
    signature = f"{cls.__name__} takes [{', '.join(map(_described, own))}]"
    got = len(args) - len(supplied)
    if len(args) > len(parameters):
        raise ValueError(f"{signature}, got {got} arguments")
    missing = [p.name for p in parameters[len(args) :] if p.default is p.empty]
    if missing:
        raise ValueError(f"{signature}, got {got} without {' and '.join(missing)}")
    for parameter, value in zip(parameters, args, strict=False):
        if parameter.name not in supplied and not _fits(value, parameter):
            kind = type(value).__name__
            raise ValueError(f"{signature}, got {parameter.name}={value!r} of type {kind}")


def _described(parameter: inspect.Parameter) -> str:
    return parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"


def _fits(value: Any, parameter: inspect.Parameter) -> bool:
    """Whether a row's value has the annotated type; only plain types are judged, others are the block's business."""
    expected = parameter.annotation
    if expected is bool:
        return isinstance(value, bool)
    if expected is int:
        return _is_count(value)
    if expected is float:
        return isinstance(value, float) or _is_count(value)
    if expected is str:
        return isinstance(value, str)
    return True
