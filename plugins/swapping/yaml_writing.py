"""A stock model YAML with light blocks in it: a recipe's rows edited one for one, everything else kept as it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import patch_ultralytics

from ..blocks.counting import parameters
from ..models.building import from_text
from ..models.dry_run import RowError, build, offline, run
from ..rows.description import ModelYAMLError, Problem, check, image_channels, read, rows_of, scales_by_size
from ..rows.names import names
from ..rows.yaml_files import stock_file, with_scale
from ..tables import columns
from .backbones import Backbone, backbone_of
from .recipes import Recipe, recipe
from .row_edits import RowEdit, edit_rows, looked_at, reasons, stock_of
from .row_text import listed
from .yaml_text import edited, with_figures

TASKS = {
    "detect": "detection",
    "segment": "instance segmentation",
    "pose": "pose estimation",
    "obb": "oriented detection",
    "classify": "classification",
    "semantic": "semantic segmentation",
    "depth": "depth estimation",
}
NEW_HEAD = {"C3k2", "A2C2f", "C2fCIB"}
"""Rows by whose presence Ultralytics tells that a model has YOLO11's lighter head; swapped, the YAML must say it."""


@dataclass(frozen=True)
class SwappedYAML:
    """The edited YAML's text, its usual file name, and what became of each row that the recipe may swap."""

    name: str
    text: str
    edits: list[RowEdit]
    recipe: Recipe | None = None
    backbone: Backbone | None = None

    def report(self) -> str:
        """What was swapped and what was left, a line a row."""
        said = [] if self.backbone is None else [self.backbone.report()]
        if self.recipe:
            rows = [["row", "stock", "now", ""]]
            for edit in self.edits:
                now = edit.module if edit.block else "stays"
                rows.append([str(edit.row), edit.stock, now, edit.reason or listed(edit.args)])
            swapped = sum(bool(edit.block) for edit in self.edits)
            said += [columns(rows), f"{swapped} of {_counted(self.edits, self.recipe)} swapped"]
        return "\n\n".join(said)


def swap_yaml(
    model: str, swap: str | Path | Recipe | None = None, *, backbone: str | None = None, figures: bool = True
) -> SwappedYAML:
    """Edit a stock YAML by a recipe, or put another backbone under its neck, or both.

    Args:
        model: A YAML that Ultralytics ships, by bare name with or without a scale letter, or a path.
        swap: A recipe, by name, as the YAML file of one, or what `compose` made.
        backbone: A network of another package in place of the backbone, such as `timm:mobilenetv4_conv_small`.
        figures: Count parameters and GFLOPs of each scale for the file's head; takes a second a scale.

    Raises:
        FileNotFoundError: no such YAML; names near ones.
        ValueError: neither recipe nor backbone; no such recipe or network; a block that is not registered or cannot
            stand for what the recipe says; no row that it can be applied to; or blocks that do not fit together.
    """
    if swap is None and backbone is None:
        raise ValueError("give a recipe or a backbone")
    patch_ultralytics.apply()
    from ultralytics.nn import tasks

    chosen = swap if isinstance(swap, Recipe) else recipe(swap) if swap is not None else None
    file = stock_file(model)
    stock, text = read(file), file.read_text(encoding="utf-8")
    check(stock, str(file), names(tasks))
    under = backbone_of(stock, stock_of(stock, file.name), file.name, backbone) if backbone else None
    edits = edit_rows(stock, file.name, chosen)[0] if chosen else []
    if under:
        edits = [edit for edit in edits if edit.row in under.kept]
    if chosen and not any(edit.block for edit in edits):
        raise ValueError(f"{file.name}: no row can be swapped by {chosen.named}: {reasons(stock, edits)}")
    name = light_name(file.stem, "-".join(part.label for part in (under, chosen) if part))
    body = edited(text, file, edits, under)
    head_stays = not any(edit.kind == "head" and edit.block for edit in edits)
    told = NEW_HEAD & {row[2] for row in rows_of(stock)}
    if head_stays and told and not NEW_HEAD & _kept_modules(stock, edits, under):
        note = r"\1\nlegacy: False # the head stays YOLO11's, whose rows are no longer here"
        body = re.sub(r"^(nc: .*)$", note, body, count=1, flags=re.M)
    _try(body, name, stock_of(stock, file.name).blind is not None)
    costs = _figures(body, name) if figures else {}
    task = stock_of(stock, file.name).task
    head = _head(file, task, chosen, edits, under)
    return SwappedYAML(name, f"{head}\n\n{with_figures(body, name, costs)}", edits, chosen, under)


def _head(file: Path, task: str, chosen: Recipe | None, edits: list[RowEdit], under: Backbone | None) -> str:
    """What the file says of itself."""
    titles = [part.title for part in (chosen, under) if part]
    rows = f"Rows are those of {file.name} one for one, so what is untouched takes its pretrained weights by name."
    if under:
        rows = under.where(file.name)
    asked = [part.asked for part in (chosen, under) if part]
    command = f"`yolo-plugins yaml {file.name} {' '.join(asked)}`"
    lines = [f"{_family(file.stem)} {TASKS.get(task, task)} with {' and '.join(titles)}."]
    lines += chosen.where.split("\n") if chosen else []
    lines += [rows]
    swapped = sum(bool(edit.block) for edit in edits)
    lines += [
        f"{swapped} of its {_counted(edits, chosen)} are swapped: {command}" if chosen else f"Written by {command}"
    ]
    return "\n".join(f"# {line}" for line in lines)


def _counted(edits: list[RowEdit], chosen: Recipe) -> str:
    """How many rows a recipe looked at, and what they are."""
    *first, last = filter(None, looked_at(chosen).values())
    return f"{len(edits)} {', '.join(first)}{' and ' * bool(first)}{last}"


def _kept_modules(stock: dict[str, Any], edits: list[RowEdit], under: Backbone | None) -> set[str]:
    gone = {edit.row for edit in edits if edit.block}
    return {row[2] for i, row in enumerate(rows_of(stock)) if i not in gone and (under is None or i in under.kept)}


def light_name(stem: str, label: str) -> str:
    """The file name of a light model: yolov8-seg and ghost → yolov8-ghost-seg.yaml."""
    family = re.match(r"(?:yoloe-(?:v?\d+)|yolov?\d+[a-z]?|rtdetr-[a-z0-9]+)", stem)
    at = family.end() if family else len(stem)
    return f"{stem[:at]}-{label}{stem[at:]}.yaml"


def _try(text: str, name: str, blind: bool) -> None:
    """Build and run the model without memory, at its smallest scale.

    Args:
        text: The YAML.
        name: Its file name.
        blind: Whether the stock model cannot be run on an image alone.

    Raises:
        ModelYAMLError: a row that cannot be built, or that cannot run on what it is given.
    """
    import yaml

    description = yaml.safe_load(text)
    layers = build({**description, "scale": scales_by_size(description)[0], "yaml_file": name})
    try:
        run(layers, image_channels(description))
    except RowError as error:
        if not blind:
            module = rows_of(description)[error.row][2]
            raise ModelYAMLError(name, Problem(error.reason, error.row, module)) from error


def _figures(text: str, name: str) -> dict[str, tuple[int, float]]:
    """Parameters and GFLOPs at each scale, before fusing, at 640×640."""
    import yaml
    from ultralytics.utils.torch_utils import get_flops

    description = offline(yaml.safe_load(text))
    text = yaml.safe_dump(description, sort_keys=False)
    costs = {}
    for scale in description.get("scales") or [""]:
        with from_text(text, with_scale(name, scale)) as yolo:
            costs[scale] = (parameters(yolo.model), get_flops(yolo.model, 640))
    return costs


def _family(stem: str) -> str:
    name = re.sub(r"-(seg|cls|pose|obb|sem|depth)(?=-|$)", "", stem)
    return name.replace("yoloe", "YOLOE").replace("yolo", "YOLO").replace("rtdetr", "RT-DETR")
