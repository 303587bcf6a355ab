"""A block's cost beside the plain convolution or C2f that it would replace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from .. import networks as _networks  # noqa: F401  whose stages are to be told from misspelt blocks
from ..blocks.conv import ConvBNAct
from ..blocks.registry import BLOCKS, find, spec_of
from ..blocks.signature import EMPTY, bound, signature_of
from ..blocks.stages import C2f
from .costs import Cost, cost

Row = dict[str, Any]
"""A table's line: heading → raw value."""

CHANNELS = ("c1", "c2")


def compare(block: str, size: int, runs: int = 20, **given: Any) -> list[Row]:
    """Cost of a block and of its plain counterpart, and how many times less the block is.

    Args:
        block: A registered block's name.
        size: Side of the square input map, in elements.
        runs: Timed runs of each; 0 times nothing.
        given: Arguments of the block by name, `c1` at least; one that keeps its channels has no use for `c2`.

    Raises:
        ValueError: no such block, an argument that it does not have or that it misses, or an impossible geometry.
    """
    module, full = build(block, given)
    shape = (given["c1"], size, size)
    ours = cost(module, shape, runs)
    rows = [_row(call(block, full), ours)]
    if "c2" not in full:
        return rows
    spec = spec_of(find(block))
    assert spec is not None
    counterpart = plain(block, full)
    beside = cost(counterpart, shape, runs)
    theory = spec.saves(full) if spec.saves else None
    rows[0] |= {
        "params ×": _times(beside.params, ours.params),
        "MACs ×": _times(beside.macs, ours.macs),
        "theory ×": None if theory is None else round(theory, 2),
        "written ×": _times(beside.written, ours.written),
        "peak ×": _times(beside.peak_bytes, ours.peak_bytes),
        "ms ×": _times(beside.milliseconds, ours.milliseconds),
    }
    k = full.get("k", 3)
    return [*rows, _row("plain C2f" if isinstance(counterpart, C2f) else f"plain {k}×{k} convolution", beside)]


def compare_all(size: int, runs: int, given: Mapping[str, Any]) -> tuple[list[Row], list[str]]:
    """`compare` for every block that fits, each with those arguments that it has; and why the others do not fit.

    A bottleneck without a given `mid` expands to twice its input.
    """
    rows: list[Row] = []
    plain: dict[tuple[Any, ...], Row] = {}
    refused = []
    for block in measurable():
        taken = signature_of(BLOCKS[block])
        own = {name: value for name, value in given.items() if name in taken or name == "c1"}
        if "mid" in taken and taken["mid"].default is EMPTY:
            own.setdefault("mid", 2 * given["c1"])
        try:
            first, *others = compare(block, size, runs, **own)
        except ValueError as error:
            refused.append(str(error))
            continue
        rows.append(first)
        for row in others:
            plain.setdefault((row["module"], row["MACs"]), row)
    return [*rows, *plain.values()], refused


def measurable() -> list[str]:
    """Blocks that `compare` takes: maps to maps, no heads and no stages of whole networks."""
    specs = {name: spec_of(cls) for name, cls in BLOCKS.items()}
    return [name for name, spec in specs.items() if spec and spec.row in ("conv", "stage", "same") and not spec.task]


def build(block: str, given: Mapping[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """A block, and every argument of it by name, its defaults included.

    Raises:
        ValueError: no such block, one that is no single block, an argument that it does not have or that it misses, or
            an impossible geometry.
    """
    cls = find(block)
    if cls.__name__ not in measurable():
        raise ValueError(
            f"{cls.__name__} is a head, part of a network, or for several maps; choose one of {', '.join(measurable())}"
        )
    taken = signature_of(cls)
    full = bound(cls, {name: v for name, v in given.items() if name in taken or name not in CHANNELS})
    return cls(**full), full


def call(block: str, full: Mapping[str, Any]) -> str:
    """How a block with these arguments is written, its defaults left out."""
    defaults = {name: p.default for name, p in signature_of(find(block)).items()}
    options = [f"{name}={value}" for name, value in full.items() if name not in CHANNELS and value != defaults[name]]
    return f"{block}({', '.join([*(str(full[name]) for name in CHANNELS if name in full), *options])})"


def plain(block: str, full: Mapping[str, Any]) -> nn.Module:
    """What a block with these arguments stands for: a k×k convolution, 3×3 if it has no k, or a plain C2f."""
    c1, c2, act = full["c1"], full["c2"], full.get("act", "relu")
    spec = spec_of(find(block))
    if spec is not None and spec.row == "stage":
        return C2f(c1, c2, full["n"], full.get("shortcut", True), e=full.get("e", 0.5), act=act)
    return ConvBNAct(c1, c2, full.get("k", 3), full.get("s", 1), d=full.get("d", 1), act=act)


def _row(name: str, c: Cost) -> Row:
    counts = {"params": c.params, "MACs": c.macs, "activations": c.activations, "written": c.written}
    ms = None if c.milliseconds is None else round(c.milliseconds, 3)
    return {"module": name, **counts, "peak KiB": round(c.peak_bytes / 1024, 1), "ms": ms}


def _times(plain: float | None, ours: float | None) -> float | None:
    return round(plain / ours, 2) if plain and ours else None
