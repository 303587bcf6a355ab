"""A model row by row beside its stock base: which rows are plug-ins, what each costs, and the change."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..blocks.counting import parameters
from ..blocks.registry import PREFIX
from ..models.building import build, load
from ..rows.description import image_channels, rows_of
from ..rows.stock_base import find_base
from ..rows.yaml_files import with_scale
from ..tables import change, columns
from ..transplanting.students import rebuilt

MAX_IMAGE = 4096


@dataclass(frozen=True)
class Row:
    """One row of a model: its module, parameters, and GFLOPs (2 × multiply-adds, as Ultralytics counts)."""

    module: str
    params: int
    gflops: float

    @property
    def plugin(self) -> bool:
        return self.module.startswith(PREFIX)


@dataclass(frozen=True)
class Info:
    """A model's rows, and those of its base where there is one."""

    name: str
    rows: list[Row]
    base_name: str | None
    base: list[Row] | None
    imgsz: int


def describe(model: str, base: str | None = None, nc: int | None = None, imgsz: int = 640) -> Info:
    """Build a model and its base and count both, row by row.

    Args:
        model: A model YAML (bare name or path) or a trained `.pt` file.
        base: The YAML to compare with; by default the stock one of the same family, scale and task, if there is one.
        nc: Number of classes for both; by default the model's.
        imgsz: Side of the square image, in pixels.

    Raises:
        FileNotFoundError: no such model.
        ValueError: a YAML that cannot be built, or an image size that is no multiple of 32.
    """
    if imgsz % 32 or not 32 <= imgsz <= MAX_IMAGE:
        raise ValueError(f"imgsz={imgsz} must be a multiple of 32 from 32 to {MAX_IMAGE}")
    if nc is not None and nc < 1:
        raise ValueError(f"nc={nc} must be at least 1")
    network = _load(model, nc)
    description = network.yaml
    nc = nc or description.get("nc")
    name = Path(str(description.get("yaml_file", model))).name if model.endswith(".pt") else Path(model).name
    if base is None and (stock := find_base(description, name)):
        base = with_scale(stock.name, str(description.get("scale") or ""))
    rows = _rows(network, imgsz)
    if base is None or base == name:
        return Info(name, rows, None, None, imgsz)
    return Info(name, rows, Path(base).name, _rows(_load(base, nc), imgsz), imgsz)


def _load(model: str, nc: int | None) -> Any:
    """A network with so many classes, in float32."""
    if model.endswith(".pt"):
        return load(model)[0]
    if not model.endswith((".yaml", ".yml")):
        raise ValueError(f"{model} is neither a model YAML nor a .pt file")
    network = build(model)
    if nc and nc != network.yaml["nc"]:
        network = rebuilt(network, {**copy.deepcopy(network.yaml), "nc": nc})
    return network


def _rows(network: Any, imgsz: int) -> list[Row]:
    import thop
    import torch

    names = [row[2] for row in rows_of(network.yaml)]
    image = torch.zeros(1, image_channels(network.yaml), imgsz, imgsz)
    counted = copy.deepcopy(network)  # an older thop leaves hooks behind, also on the activation that all models share
    layers = thop.profile(counted, inputs=[image], verbose=False, ret_layer_info=True)[2]["model"][2]
    return [
        Row(name, parameters(layer), layers[str(i)][0] * 2 / 1e9)
        for i, (name, layer) in enumerate(zip(names, network.model, strict=True))
    ]


def render(info: Info) -> str:
    """An `Info` as text: a line a row, then the totals and how many rows are plug-ins."""
    base = info.base or []
    lines = [["row", "module", "params", "GFLOPs", "base", "params", "GFLOPs", "params", "GFLOPs"]]
    for i, (row, other) in enumerate(zip_longest(info.rows, base[: len(info.rows)])):
        lines.append([f"{i}{' *' if row.plugin else ''}", *_cells(row, other)])
    lines.append(["", *_cells(_total(info.rows), _total(base))])
    table = columns([line if base else line[:4] for line in lines], right=[2, 3, 5, 6, 7, 8] if base else [2, 3])
    swapped = sum(row.plugin for row in info.rows)
    name = info.name + (f" beside {info.base_name}" if info.base_name else "")
    return (
        f"{name}, {info.imgsz}×{info.imgsz}, before fusing; GFLOPs are 2 × multiply-adds; * is a plug-in\n\n"
        f"{table}\n\n{swapped} of {len(info.rows)} rows are plug-ins"
    )


def _cells(row: Row, base: Row | None) -> list[str]:
    cells = [row.module, f"{row.params:,}", f"{row.gflops:.2f}"]
    if base is None:
        return [*cells, "none", "", "", "", ""]
    same = (row.params, row.gflops) == (base.params, base.gflops)
    changes = ["", ""] if same else [change(row.params, base.params), change(row.gflops, base.gflops)]
    return [*cells, base.module, f"{base.params:,}", f"{base.gflops:.2f}", *changes]


def _total(rows: list[Row]) -> Row:
    return Row("total", sum(row.params for row in rows), sum(row.gflops for row in rows))
