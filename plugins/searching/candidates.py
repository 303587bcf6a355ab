"""What is tried at a model's rows: blocks by the name they go by in tables, and the edits that put them there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import patch_ultralytics

from ..blocks.composition import choice
from ..blocks.registry import BLOCKS, PREFIX, spec_of
from ..rows.stock_base import stock_head
from ..swapping.recipes import Recipe, Rule
from ..swapping.row_edits import RowEdit, reasons
from ..transplanting.students import recipe_edits

RELU = {"act": "relu"}
USUAL: dict[str, tuple[Rule, ...]] = {
    "Ghost": (Rule("stage", "C2fGhost", 1), Rule("conv", "GhostConv", 1)),
    "depthwise": (Rule("stage", "C2fDW", 1, options=RELU), Rule("conv", "DWConv", 1)),
    "shuffle": (Rule("stage", "C2fShuffle", 1, options=RELU), Rule("conv", "GroupConv", 1, options={"g": 4})),
    "RepGhost 3×3": (Rule("stage", "RepGhostStage", 1, options={"cheap_k": 3}),),
    "RepGhost 5×5": (Rule("stage", "RepGhostStage", 1),),
    "plain, ReLU": (Rule("conv", "ConvBNAct", 1),),
}
"""What is tried where nothing is asked for, and the light heads with it."""

HEAD = "light head"
HEAD_OPTIONS: Mapping[str, Mapping[str, Any]] = {"LiteSegment": {"npr": 128}}
EVERY = "all"

STOCK = "stock"
"""The name of a row's own block."""


def candidates(blocks: Sequence[str] = ()) -> dict[str, tuple[Rule, ...]]:
    """Rules by name: one for each of these blocks, of every block for `all`, and the usual ones for none.

    Args:
        blocks: Registered blocks, such as `RepGhostStage(cheap_k=3)`: convolutions, stages, inner blocks and heads.

    Raises:
        ValueError: no such block or argument, or one that stands for nothing.
    """
    patch_ultralytics.apply()  # which knows the heads
    heads = {HEAD: tuple(Rule("head", name, options=HEAD_OPTIONS.get(name, {})) for name in _heads())}
    if not blocks:
        return {**USUAL, **heads}
    if EVERY in blocks:
        every = {name: rules for name, cls in BLOCKS.items() if (rules := _rules(name)) and not _task(cls)}
        return {**every, **heads}
    found = {}
    for text in blocks:
        found[text] = _rules(text)
        if not found[text]:
            raise ValueError(
                f"--blocks {text} stands for no convolution, stage or head; `yolo-plugins list` shows which do"
            )
    return found


def edits_of(base: Any, wanted: Mapping[str, tuple[Rule, ...]], model: str) -> dict[str, dict[int, RowEdit]]:
    """For each name the edits of the rows that its rules fit, by row; names that fit no row are left out.

    Raises:
        ValueError: no row can be replaced, and why.
    """
    found, refused = {}, []
    for name, rules in wanted.items():
        edits = recipe_edits(base, Recipe("", "", rules), model)
        fitting = {edit.row: edit for edit in edits if edit.block}
        if fitting:
            found[name] = fitting
        else:
            refused += [edit for edit in edits if edit not in refused]
    if not found:
        raise ValueError(f"{model}: no row can be replaced: {reasons(base.yaml, refused)}")
    return found


def _rules(text: str) -> tuple[Rule, ...]:
    """How a block stands in for rows: as what it is, or inside a stage."""
    block = choice(text)
    name, spec = block.block.__name__, block.spec
    if spec.task:
        return (Rule("head", name, options=block.options),) if name in _heads() else ()
    kinds = [kind for kind in ("stage", "conv") if kind in spec.places]
    if kinds:
        return tuple(Rule(kind, name, 1, options=block.options) for kind in kinds)
    if spec.gate:
        return (Rule("stage", "C2f", 1, options={"gate": str(block)}),)
    if spec.row == "same" or "bottleneck" in spec.places:
        return (Rule("stage", "C2f", 1, options={"inner": str(block)}),)
    return ()


def _heads() -> list[str]:
    return [name for name, cls in BLOCKS.items() if _task(cls) and stock_head(f"{PREFIX}{name}") != f"{PREFIX}{name}"]


def _task(cls: type) -> str:
    spec = spec_of(cls)
    return spec.task if spec else ""
