"""A model row by row beside its stock base: which rows are plug-ins, what each costs, and the change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from .row_errors import reason_of
from .tables import change, columns

MODELS = {
    "segment": "SegmentationModel",
    "classify": "ClassificationModel",
    "pose": "PoseModel",
    "obb": "OBBModel",
}
MAX_IMAGE = 4096
TASK_SUFFIXES = {"detect": "", "segment": "-seg", "classify": "-cls", "pose": "-pose", "obb": "-obb"}


@dataclass(frozen=True)
class Row:
    """One row of a model: its module, parameters, and GFLOPs (2 × multiply-adds, as Ultralytics counts)."""

    module: str
    params: int
    gflops: float

    @property
    def plugin(self) -> bool:
        return self.module.startswith("plugins.")


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
    import patch_ultralytics

    patch_ultralytics.apply()
    network, task = _load(model, nc)
    yaml = network.yaml
    nc = nc or yaml.get("nc")
    name = Path(str(yaml.get("yaml_file", model))).name if model.endswith(".pt") else Path(model).name
    base = base or _stock_base(name, yaml.get("scale", ""), task)
    rows = _rows(network, imgsz)
    if base is None:
        return Info(name, rows, None, None, imgsz)
    counterpart = _rows(_load(base, nc)[0], imgsz)
    return Info(name, rows, Path(base).name, counterpart, imgsz)


def _load(model: str, nc: int | None) -> tuple[Any, str]:
    if not model.endswith((".yaml", ".yml", ".pt")):
        raise ValueError(f"{model} is neither a model YAML nor a .pt file")
    from ultralytics import YOLO
    from ultralytics.nn import tasks
    from ultralytics.utils import LOGGER

    level = LOGGER.level
    LOGGER.setLevel("ERROR")
    try:
        if model.endswith(".pt"):
            if not Path(model).is_file():
                raise FileNotFoundError(f"{model} does not exist")
            try:
                yolo = YOLO(model)
            except Exception as error:
                raise ValueError(f"{model} is not a checkpoint with a model inside: {reason_of(error)}") from error
            return yolo.model, str(yolo.task)
        cfg = tasks.yaml_model_load(model)
        if nc:
            cfg["nc"] = nc
        task = tasks.guess_model_task(cfg)
        return getattr(tasks, MODELS.get(task, "DetectionModel"))(cfg, verbose=False), str(task)
    finally:
        LOGGER.setLevel(level)


def _stock_base(name: str, scale: str, task: str) -> str | None:
    """The stock YAML that a plug-in YAML's name begins with, at the same scale: yolov8n-ghost-seg → yolov8n-seg."""
    import ultralytics

    family = re.match(r"(yolov?\d+)[nslmx]?-", name)
    if family is None:
        return None
    stock = f"{family[1]}{TASK_SUFFIXES.get(task, '')}.yaml"
    found = any((Path(ultralytics.__file__).parent / "cfg" / "models").rglob(stock))
    return stock.replace(family[1], family[1] + scale, 1) if found else None


def _rows(network: Any, imgsz: int) -> list[Row]:
    import thop
    import torch

    names = [row[2] for row in network.yaml["backbone"] + network.yaml["head"]]
    image = torch.zeros(1, network.yaml.get("channels", network.yaml.get("ch", 3)), imgsz, imgsz)
    layers = thop.profile(network, inputs=[image], verbose=False, ret_layer_info=True)[2]["model"][2]
    return [
        Row(name, _parameters(layer), layers[str(i)][0] * 2 / 1e9)
        for i, (name, layer) in enumerate(zip(names, network.model, strict=True))
    ]


def _parameters(layer: nn.Module) -> int:
    return sum(p.numel() for p in layer.parameters())


def render(info: Info) -> str:
    """An `Info` as text: a line a row, then the totals and how many rows are plug-ins."""
    heading = ["row", "module", "params", "GFLOPs"]
    if info.base:
        heading += ["base", "params", "GFLOPs", "params", "GFLOPs"]
    lines = [heading]
    for i, row in enumerate(info.rows):
        base = info.base[i] if info.base and i < len(info.base) else None
        lines.append([f"{i}{' *' if row.plugin else ''}", *_cells(row, base, bool(info.base))])
    total = _total(info.rows)
    lines.append(["", *_cells(total, _total(info.base) if info.base else None, bool(info.base))])
    swapped = sum(row.plugin for row in info.rows)
    against = f" beside {info.base_name}" if info.base_name else ""
    table = columns(lines, right=[2, 3, 5, 6, 7, 8] if info.base else [2, 3])
    size = f"{info.imgsz}×{info.imgsz}"
    return (
        f"{info.name}{against}, {size}, before fusing; GFLOPs are 2 × multiply-adds; * is a plug-in\n\n"
        f"{table}\n\n{swapped} of {len(info.rows)} rows are plug-ins"
    )


def _cells(row: Row, base: Row | None, compared: bool) -> list[str]:
    cells = [row.module, f"{row.params:,}", f"{row.gflops:.2f}"]
    if not compared:
        return cells
    if base is None:
        return [*cells, "none", "", "", "", ""]
    changes = (
        [change(row.params, base.params), change(row.gflops, base.gflops)]
        if (row.params, row.gflops) != (base.params, base.gflops)
        else ["", ""]
    )
    return [*cells, base.module, f"{base.params:,}", f"{base.gflops:.2f}", *changes]


def _total(rows: list[Row]) -> Row:
    return Row("total", sum(row.params for row in rows), sum(row.gflops for row in rows))
