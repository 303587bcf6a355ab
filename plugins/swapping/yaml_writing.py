"""A stock model YAML with light blocks in it: a recipe's rows edited one for one, everything else kept as it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import patch_ultralytics

from ..blocks.counting import parameters
from ..blocks.registry import BLOCKS
from ..models.building import from_text
from ..rows.description import check, read, rows_of
from ..rows.names import names
from ..rows.yaml_files import stock_file, with_scale
from ..tables import columns
from .recipes import recipe
from .row_edits import RowEdit, edit_rows, reasons

TASKS = {
    "detect": "detection",
    "segment": "instance segmentation",
    "pose": "pose estimation",
    "obb": "oriented detection",
    "classify": "classification",
    "semantic": "semantic segmentation",
    "depth": "depth estimation",
}
ROW = re.compile(r"^(  - \[.*\])\s*(?:#\s*(.*?))?\s*$")
SCALE = re.compile(r"^  ([a-z]): (\[[^\]]*\])")
NEW_HEAD = {"C3k2", "A2C2f", "C2fCIB"}
"""Rows by whose presence Ultralytics tells that a model has YOLO11's lighter head; swapped, the YAML must say it."""


@dataclass(frozen=True)
class SwappedYAML:
    """The edited YAML's text, its usual file name, and what became of each row that a recipe may swap."""

    name: str
    text: str
    edits: list[RowEdit]

    def report(self) -> str:
        """What was swapped and what was left, a line a row."""
        rows = [["row", "stock", "now", ""]]
        for edit in self.edits:
            now = f"plugins.{edit.block}" if edit.block else "stays"
            rows.append([str(edit.row), edit.stock, now, edit.reason or _listed(edit.args)])
        swapped = sum(bool(edit.block) for edit in self.edits)
        return f"{columns(rows)}\n\n{swapped} of {_counted(self.edits)} swapped"


def swap_yaml(model: str, swap: str, *, figures: bool = True) -> SwappedYAML:
    """Edit a stock YAML by a recipe.

    Args:
        model: A YAML that Ultralytics ships, by bare name with or without a scale letter, or a path.
        swap: A recipe's name, or the YAML file of one.
        figures: Count parameters and GFLOPs of each scale for the file's head; takes a second a scale.

    Raises:
        FileNotFoundError: no such YAML; names near ones.
        ValueError: no such recipe, a block that is not registered, or no row that it can be applied to.
    """
    patch_ultralytics.apply()
    from ultralytics.nn import tasks

    file, chosen = stock_file(model), recipe(swap)
    for rule in chosen.rules:
        if rule.block not in BLOCKS:
            raise ValueError(f"recipe {swap}: no block is called {rule.block!r}; `yolo-plugins list` shows them")
    stock, text = read(file), file.read_text(encoding="utf-8")
    check(stock, str(file), names(tasks))
    edits, task = edit_rows(stock, file.name, chosen)
    if not any(edit.block for edit in edits):
        raise ValueError(f"{file.name}: no row can be swapped by {swap}: {reasons(stock, edits)}")
    label = Path(swap).stem
    name = light_name(file.stem, label)
    body = _edited_text(text, file, edits)
    head_stays = not any(edit.head and edit.block for edit in edits)
    if head_stays and NEW_HEAD & {edit.stock for edit in edits} and not NEW_HEAD & _kept_modules(stock, edits):
        note = r"\1\nlegacy: False # the head stays YOLO11's, whose rows are no longer here"
        body = re.sub(r"^(nc: .*)$", note, body, count=1, flags=re.M)
    costs = _figures(body, name) if figures else {}
    where = chosen.where.replace("\n", "\n# ")
    head = (
        f"# {_family(file.stem)} {TASKS.get(task, task)} with {chosen.title}.\n# {where}\n"
        f"# Rows are those of {file.name} one for one, so what is untouched takes its pretrained weights by name.\n"
        f"# {sum(bool(edit.block) for edit in edits)} of its {_counted(edits)} are swapped: "
        f"`yolo-plugins yaml {file.name} --swap {swap}`\n\n"
    )
    return SwappedYAML(name, head + _with_figures(body, name, costs), edits)


def _counted(edits: list[RowEdit]) -> str:
    """How many rows a recipe looked at, and what they are: the head only where it has rules for one."""
    kinds = "convolutions, stages and head" if any(edit.head for edit in edits) else "convolutions and stages"
    return f"{len(edits)} {kinds}"


def _kept_modules(stock: dict[str, Any], edits: list[RowEdit]) -> set[str]:
    gone = {edit.row for edit in edits if edit.block}
    return {row[2] for i, row in enumerate(rows_of(stock)) if i not in gone}


def light_name(stem: str, label: str) -> str:
    """The file name of a light model: yolov8-seg and ghost → yolov8-ghost-seg.yaml."""
    family = re.match(r"(?:yoloe-(?:v?\d+)|yolov?\d+[a-z]?|rtdetr-[a-z0-9]+)", stem)
    at = family.end() if family else len(stem)
    return f"{stem[:at]}-{label}{stem[at:]}.yaml"


def _edited_text(text: str, file: Path, edits: list[RowEdit]) -> str:
    """The stock text from its first key on, with the edited rows; comments of a file's own head and parts go."""
    import yaml

    swaps = {edit.row: edit for edit in edits if edit.block}
    lines, i = [], 0
    for line in text.splitlines():
        if re.match(r"^#", line):
            continue
        match = ROW.match(line)
        if match:
            if i in swaps:
                line = _row_text(yaml.safe_load(match[1])[0], swaps[i], match[2])
            i += 1
        lines.append(line)
    if i != len(rows_of(yaml.safe_load(text))):
        raise ValueError(f"{file}: rows must be written one a line, as `  - [from, repeats, module, [arguments]]`")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _row_text(row: list[Any], edit: RowEdit, comment: str | None) -> str:
    note = ", ".join(part for part in (comment, f"was {edit.stock}") if part)
    return f"  - [{_written(row[0])}, {row[1]}, plugins.{edit.block}, {_listed(edit.args)}] # {note}"


def _listed(values: tuple[Any, ...]) -> str:
    return f"[{', '.join(map(_written, values))}]"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return _listed(tuple(value))
    return f'"{value}"' if isinstance(value, str) and value not in ("nc", "kpt_shape") else str(value)


def _figures(text: str, name: str) -> dict[str, tuple[int, float]]:
    """Parameters and GFLOPs at each scale, before fusing, at 640×640."""
    import yaml
    from ultralytics.utils.torch_utils import get_flops

    costs = {}
    for scale in yaml.safe_load(text).get("scales") or [""]:
        with from_text(text, with_scale(name, scale)) as yolo:
            costs[scale] = (parameters(yolo.model), get_flops(yolo.model, 640))
    return costs


def _with_figures(text: str, name: str, costs: dict[str, tuple[int, float]]) -> str:
    """The text with counted figures for the stock ones: a comment at each scale, or at `nc` for a model without."""
    first = with_scale(name, next(iter(costs), ""))
    note = f"figures before fusing at 640×640: `yolo-plugins info {first}`"
    lines = []
    for line in text.splitlines():
        match = SCALE.match(line)
        if line.strip() == "# [depth, width, max_channels]":
            continue
        if line.startswith("scales:"):
            line = f"scales: # [depth, width, max_channels]{'; ' + note if costs else ''}"
        elif match:
            line = f"  {match[1]}: {match[2]}" + (f" # {_cost(*costs[match[1]])}" if costs else "")
        elif line.startswith("nc:") and "" in costs:
            line = f"{line}; {_cost(*costs[''])}, {note}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _cost(params: int, gflops: float) -> str:
    return f"{params:,} parameters" + (f", {gflops:.1f} GFLOPs" if gflops else "")


def _family(stem: str) -> str:
    name = re.sub(r"-(seg|cls|pose|obb|sem|depth)(?=-|$)", "", stem)
    return name.replace("yoloe", "YOLOE").replace("yolo", "YOLO").replace("rtdetr", "RT-DETR")
