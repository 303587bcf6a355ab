"""A block's cost beside the plain convolution or C2f that it would replace."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from torch import nn

from .conv import ConvBNAct
from .costs import Cost, cost
from .public import BLOCKS
from .stages import Bottleneck, C2fStage

Row = dict[str, Any]
"""A table's line: heading → raw value."""


def compare(block: str, c1: int, c2: int, size: int, runs: int = 20, **options: Any) -> list[Row]:
    """Cost of a block and of its plain counterpart, and how many times less the block is.

    Args:
        block: A registered block's name.
        c1: Input channels.
        c2: Output channels; blocks that keep their channels take c1 only.
        size: Side of the square input map, in elements.
        runs: Timed runs of each; 0 times nothing.
        options: Other arguments of the block.

    Raises:
        ValueError: no such block, an argument that it does not have or that it misses, or an impossible geometry.
    """
    module, full = build(block, c1, c2, options)
    ours = cost(module, (c1, size, size), runs)
    rows = [_row(_call(block, full), ours)]
    if "c2" not in full:
        return rows
    stage = issubclass(BLOCKS[block], C2fStage)
    plain = cost(_plain(full, stage), (c1, size, size), runs)
    rows[0] |= {
        "params ×": _times(plain.params, ours.params),
        "MACs ×": _times(plain.macs, ours.macs),
        "theory ×": THEORY[block](full) if block in THEORY else None,
        "written ×": _times(plain.written, ours.written),
        "peak ×": _times(plain.peak_bytes, ours.peak_bytes),
        "ms ×": _times(plain.milliseconds, ours.milliseconds),
    }
    k = full.get("k", 3)
    return [*rows, _row("plain C2f" if stage else f"plain {k}×{k} convolution", plain)]


def compare_all(c1: int, c2: int, size: int, runs: int, options: Mapping[str, Any]) -> tuple[list[Row], list[str]]:
    """`compare` for every block that fits, each with those of the options that it has; and why the others do not fit.

    A bottleneck without a given `mid` expands to twice its input.
    """
    rows: list[Row] = []
    plain: dict[tuple[Any, ...], Row] = {}
    refused = []
    for block in measurable():
        parameters = inspect.signature(BLOCKS[block]).parameters
        own = {name: value for name, value in options.items() if name in parameters}
        if "mid" in parameters and parameters["mid"].default is inspect.Parameter.empty:
            own.setdefault("mid", 2 * c1)
        try:
            first, *others = compare(block, c1, c2, size, runs, **own)
        except ValueError as error:
            refused.append(str(error))
            continue
        rows.append(first)
        for row in others:
            plain.setdefault((row["module"], row["MACs"]), row)
    return [*rows, *plain.values()], refused


def measurable() -> list[str]:
    """Blocks that `compare` takes: maps to maps, no heads and no stages of whole networks."""
    kinds = ("conv", "stage", "same")
    return [name for name, cls in BLOCKS.items() if getattr(cls, "row", "") in kinds and not hasattr(cls, "task")]


def build(block: str, c1: int, c2: int, options: Mapping[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """A block, and every argument of it by name, its defaults included.

    Raises:
        ValueError: no such block, an argument that it does not have or that it misses, or an impossible geometry.
    """
    if block not in measurable():
        near = difflib.get_close_matches(block, measurable(), n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(measurable())}"
        raise ValueError(f"no block {block}; {hint}")
    parameters = inspect.signature(BLOCKS[block]).parameters
    given = {"c1": c1, "c2": c2, **options}
    unknown = [name for name in options if name not in parameters]
    if unknown:
        own = ", ".join(f"--{name}" for name in parameters if name not in ("c1", "c2"))
        raise ValueError(f"{block} has no argument {' and '.join(unknown)}; it has {own or 'none'}")
    full = {
        name: given.get(name, p.default) for name, p in parameters.items() if name in given or p.default is not p.empty
    }
    missing = [f"--{name}" for name in parameters if name not in full]
    if missing:
        raise ValueError(f"{block} needs {' and '.join(missing)} as well")
    return BLOCKS[block](**full), full


def _call(block: str, full: Mapping[str, Any]) -> str:
    defaults = {name: p.default for name, p in inspect.signature(BLOCKS[block]).parameters.items()}
    shown = [
        str(value) if name in ("c1", "c2") else f"{name}={value}"
        for name, value in full.items()
        if name in ("c1", "c2") or value != defaults[name]
    ]
    return f"{block}({', '.join(shown)})"


def _plain(full: Mapping[str, Any], stage: bool) -> nn.Module:
    """What the block stands for: a k×k convolution, 3×3 if it has no k, or a C2f of plain bottlenecks."""
    c1, c2, act = full["c1"], full["c2"], full.get("act", "relu")
    if not stage:
        return ConvBNAct(c1, c2, full.get("k", 3), full.get("s", 1), d=_dilation(full), act=act)

    def inner(c: int) -> nn.Module:
        return Bottleneck(ConvBNAct(c, c, 3, act=act), ConvBNAct(c, c, 3, act=act), shortcut=full["shortcut"])

    return C2fStage(c1, c2, full["n"], inner, lambda c1, c2: ConvBNAct(c1, c2, act=act), full["e"])


def _dilation(full: Mapping[str, Any]) -> int:
    return 1 if "ratio" in full else full.get("d", 1)  # a Ghost module's d is the kernel of its cheap operation


def _row(name: str, c: Cost) -> Row:
    values = asdict(c)
    return {
        "module": name,
        "params": values["params"],
        "MACs": values["macs"],
        "activations": values["activations"],
        "written": values["written"],
        "peak KiB": round(values["peak_bytes"] / 1024, 1),
        "ms": None if c.milliseconds is None else round(c.milliseconds, 3),
    }


def _times(plain: float | None, ours: float | None) -> float | None:
    return round(plain / ours, 2) if plain and ours else None


def _depthwise_separable(a: Mapping[str, Any]) -> float:
    """MobileNet, 1704.04861, section 3.1: 1 / (1/N + 1/D²)."""
    return round(1 / (1 / a["c2"] + 1 / a["k"] ** 2), 2)


def _ghost(a: Mapping[str, Any]) -> float:
    """GhostNet, 1911.11907, equation 4: s·c·k² / (c·k² + (s−1)·d²)."""
    weights = a["c1"] * a["k"] ** 2
    return round(a["ratio"] * weights / (weights + (a["ratio"] - 1) * a["d"] ** 2), 2)


def _shuffle(a: Mapping[str, Any]) -> float | None:
    """ShuffleNet, 1707.01083, section 3.2: 2·c·m/g + 9·m multiply-adds a pixel, m = c/4, at stride 1."""
    c, m = a["c2"], a["c2"] / 4
    return round(9 * c * c / (2 * c * m / a["g"] + 9 * m), 2) if a["s"] == 1 and a["group_first"] else None


def _inverted(a: Mapping[str, Any]) -> float | None:
    """MobileNetV2, 1801.04381, section 3.2: c·t·(c + k² + c′) multiply-adds a pixel, at stride 1 and without SE."""
    if a["s"] != 1 or a["se"] or a["mid"] is not None:
        return None
    c1, c2, area = a["c1"], a["c2"], a["k"] ** 2
    return round(area * c1 * c2 / (c1 * a["expand"] * (c1 + area + c2)), 2)


THEORY: dict[str, Callable[[Mapping[str, Any]], float | None]] = {
    "GroupConv": lambda a: float(a["g"]),
    "DWConv": _depthwise_separable,
    "GhostConv": _ghost,
    "ShuffleUnit": _shuffle,
    "InvertedResidual": _inverted,
}
"""How many times fewer multiply-adds than the plain convolution the paper predicts, from the block's arguments."""
