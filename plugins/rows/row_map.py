"""Which row of a pretrained model each row of another takes its weights from, when rows were put in or left out.

Ultralytics matches weights by row number, so one more row makes every later layer lose its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from copy import copy
from logging import Logger
from typing import Any, cast

from torch import Tensor, nn

from ..blocks.registry import spec_of
from .description import has_plugins

Rows = list[dict[str, tuple[int, ...]]]


def loading_by_rows(load: Callable[..., Any], logger: Logger) -> Callable[..., Any]:
    """Ultralytics' `BaseModel.load`; a model with rows of ours first has pretrained rows moved to where they fit."""

    def load_by_rows(self: Any, weights: Any, *args: Any, **kwargs: Any) -> Any:
        source = (weights.get("ema") or weights["model"]) if isinstance(weights, dict) else weights
        if has_plugins(getattr(self, "yaml", None)) and isinstance(getattr(source, "model", None), nn.Sequential):
            source, moved = aligned(self, source)
            if moved:
                logger.info(f"yolo-plugins: {moved}")
            weights = without_other_head(self, source)
        return load(self, weights, *args, **kwargs)

    return load_by_rows


def aligned(model: nn.Module, pretrained: nn.Module) -> tuple[nn.Module, str]:
    """`pretrained` with its rows at the places of those of `model` that fit them best, and a sentence about it.

    Both are Ultralytics models, whose rows are `model.0`, `model.1`, …; the order of rows is kept. Where no map gives
    more tensors than the row numbers do, `pretrained` itself comes back, with an empty sentence.
    """
    ours, theirs = tensors_by_row(model.state_dict()), tensors_by_row(pretrained.state_dict())
    by_number = sum(fitting(a, b) for a, b in zip(ours, theirs, strict=False))
    mapping, mapped = row_map(ours, theirs)
    if mapped <= by_number:
        return pretrained, ""
    source: Any = pretrained.model
    rows = [source[mapping[i]] if i in mapping else nn.Identity() for i in range(len(ours))]
    shifted = [f"{i} ← {j}" for i, j in mapping.items() if i != j]
    return _with_rows(pretrained, rows), (
        f"rows {', '.join(shifted)} of the pretrained model: {mapped} of {sum(map(len, ours))} tensors fit, "
        f"{by_number} by row number"
    )


def without_other_head(model: nn.Module, pretrained: nn.Module) -> nn.Module:
    """`pretrained` without its head, where `model` has one of the pack's and `pretrained` has not; else itself.

    Ultralytics puts the pretrained head's classification branches in place of a model's own when their widths differ,
    which would undo a light head.
    """
    ours, theirs = (list(cast("nn.Sequential", m.model)) for m in (model, pretrained))
    if not spec_of(type(ours[-1])) or spec_of(type(theirs[-1])):
        return pretrained
    return _with_rows(pretrained, [*theirs[:-1], nn.Identity()])


def _with_rows(model: nn.Module, rows: list[nn.Module]) -> nn.Module:
    """A shallow copy of an Ultralytics model with other rows."""
    changed = copy(model)
    changed._modules = {**model._modules, "model": nn.Sequential(*rows)}
    return changed


def row_map(ours: Rows, theirs: Rows) -> tuple[dict[int, int], int]:
    """Our row → their row, in order, for the most tensors of equal name and shape; and how many they are."""
    best = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    fit = [[fitting(a, b) for b in theirs] for a in ours]
    for i in range(len(ours) - 1, -1, -1):
        for j in range(len(theirs) - 1, -1, -1):
            best[i][j] = max(best[i + 1][j + 1] + fit[i][j], best[i + 1][j], best[i][j + 1])
    mapping, i, j = {}, 0, 0
    while i < len(ours) and j < len(theirs):
        if fit[i][j] and best[i][j] == best[i + 1][j + 1] + fit[i][j]:
            mapping[i] = j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return mapping, best[0][0]


def tensors_by_row(tensors: Mapping[str, Tensor]) -> Rows:
    """Name within its row and shape of every tensor, by row."""
    rows: dict[int, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for name, tensor in tensors.items():
        if match := re.match(r"(?:model\.)?(\d+)\.(.+)", name):
            rows[int(match[1])][match[2]] = tuple(tensor.shape)
    return [rows[i] for i in range(max(rows, default=-1) + 1)]


def fitting(ours: dict[str, tuple[int, ...]], theirs: dict[str, tuple[int, ...]]) -> int:
    """How many tensors of a row have their name and shape in another."""
    return sum(theirs.get(name) == shape for name, shape in ours.items())
