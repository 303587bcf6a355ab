"""A block's cost beside the plain convolution or C2f that it would replace, and the figures that it is checked by."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from torch import nn

from .conv import ConvBNAct, DWConv
from .costs import Cost, cost
from .counters import count
from .ghost import GhostConv
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
    if size < 1:
        raise ValueError(f"size={size} must be at least 1")
    if block not in BLOCKS:
        raise ValueError(f"no block {block}; choose one of {', '.join(measurable())}")
    full = _arguments(block, c1, c2, options)
    ours = cost(BLOCKS[block](**full), (c1, size, size), runs)
    rows = [_row(_call(block, full), ours)]
    if "c2" not in full:
        return rows
    plain = cost(_plain(full, issubclass(BLOCKS[block], C2fStage)), (c1, size, size), runs)
    rows[0] |= {
        "params ×": _times(plain.params, ours.params),
        "MACs ×": _times(plain.macs, ours.macs),
        "theory ×": THEORY[block](full) if block in THEORY else None,
        "written ×": _times(plain.written, ours.written),
        "peak ×": _times(plain.peak_bytes, ours.peak_bytes),
        "ms ×": _times(plain.milliseconds, ours.milliseconds),
    }
    return [*rows, _row("plain C2f" if issubclass(BLOCKS[block], C2fStage) else "plain convolution", plain)]


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
    """Blocks that `compare` takes: those of c1, or of c1 and c2."""
    return [name for name, cls in BLOCKS.items() if getattr(cls, "row", "") in ("conv", "stage", "same")]


def _arguments(block: str, c1: int, c2: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """Every argument of the block by name, its defaults included."""
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
    return full


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
        return ConvBNAct(c1, c2, max(full.get("k", 3), 3), full.get("s", 1), d=_dilation(full), act=act)

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
    return round(max(area, 9) * c1 * c2 / (c1 * a["expand"] * (c1 + area + c2)), 2)


THEORY: dict[str, Callable[[Mapping[str, Any]], float | None]] = {
    "GroupConv": lambda a: float(a["g"]),
    "DWConv": _depthwise_separable,
    "GhostConv": _ghost,
    "ShuffleUnit": _shuffle,
    "InvertedResidual": _inverted,
}
"""How many times fewer multiply-adds than the plain convolution the paper predicts, from the block's arguments."""


def reference_figures() -> list[Row]:
    """The figures that the literature and other implementations give for these blocks, counted here.

    Parameters, multiply-adds of convolutions, and the count of each tool that is installed.
    """
    dwconv, conv = DWConv(64, 128, 3, d=2, act="identity"), ConvBNAct(64, 128, 3, d=2, act="identity")
    cases: list[tuple[str, nn.Module, Sequence[int]]] = [
        ("GhostConv 64→128, k 3", GhostConv(64, 128, 3), (64, 32, 32)),
        ("convolution 64→128, k 3, bias", nn.Conv2d(64, 128, 3, padding=1), (64, 32, 32)),
        ("convolution 4→8, k 3", nn.Conv2d(4, 8, 3, padding=1, bias=False), (4, 32, 32)),
        ("convolution 4→8, k 3, bias", nn.Conv2d(4, 8, 3, padding=1), (4, 32, 32)),
        ("depthwise 4, k 3, of DWConv 4→8", DWConv(4, 8).depthwise.conv, (4, 32, 32)),
        ("pointwise 4→8 of DWConv 4→8", DWConv(4, 8).pointwise.conv, (4, 32, 32)),
        ("DWConv 64→128, k 3, d 2, no act", dwconv, (64, 256, 256)),
        ("DWConv 64→128, k 3, d 2, no act", dwconv, (64, 640, 640)),
        ("conv+BN 64→128, k 3, d 2, no act", conv, (64, 256, 256)),
        ("conv+BN 64→128, k 3, d 2, no act", conv, (64, 640, 640)),
    ]
    rows = []
    for name, module, shape in cases:
        counted = cost(module, shape, runs=0)
        size = "×".join(map(str, shape))
        rows.append(
            {"module": name, "input": size, "params": counted.params, "MACs": counted.macs, **count(module, shape)}
        )
    return rows
