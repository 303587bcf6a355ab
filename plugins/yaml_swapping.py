"""A stock model YAML with light blocks in it: a recipe's rows edited one for one, everything else kept as it stands."""

from __future__ import annotations

import inspect
import math
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .dry_run import build, offline
from .model_yaml import check, read
from .places import NoPlace, Place, place_of, refusal, row_arguments, standing
from .recipes import Recipe, Rule, recipe
from .registry import BLOCKS
from .row_names import names
from .tables import columns
from .yaml_files import stock_file, with_scale

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
class RowEdit:
    """One row: its stock module, and the block that stands in for it or the reason why none does."""

    row: int
    stock: str
    block: str = ""
    args: tuple[Any, ...] = ()
    reason: str = ""
    head: bool = False


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
    import patch_ultralytics

    patch_ultralytics.apply()
    from ultralytics.nn import tasks

    file, chosen = stock_file(model), recipe(swap)
    for rule in chosen.rules:
        if rule.block not in BLOCKS:
            raise ValueError(f"recipe {swap}: no block is called {rule.block!r}; `yolo-plugins list` shows them")
    text = file.read_text(encoding="utf-8")
    cfg = read(file)
    check(cfg, str(file), names(tasks))
    edits, task = edit_rows(cfg, file.name, chosen)
    if not any(edit.block for edit in edits):
        raise ValueError(f"{file.name}: no row can be swapped by {swap}: {reasons(cfg, edits)}")
    label = Path(swap).stem
    name = light_name(file.stem, label, task)
    body = _edited_text(text, file, edits)
    if NEW_HEAD & {edit.stock for edit in edits} and not NEW_HEAD & _kept_modules(cfg, edits):
        body = re.sub(
            r"^(nc: .*)$",
            r"\1\nlegacy: False # the head stays YOLO11's, whose rows are no longer here",
            body,
            count=1,
            flags=re.M,
        )
    costs = _figures(body, name) if figures else {}
    swapped = sum(bool(edit.block) for edit in edits)
    where = chosen.where.replace("\n", "\n# ")
    head = (
        f"# {_family(file.stem)} {TASKS.get(task, task)} with {chosen.title}.\n# {where}\n"
        f"# Rows are those of {file.name} one for one, so what is untouched takes its pretrained weights by name.\n"
        f"# {swapped} of its {_counted(edits)} are swapped: "
        f"`yolo-plugins yaml {file.name} --swap {label}`\n\n"
    )
    return SwappedYAML(name, head + _with_figures(body, name, costs), edits)


def edit_rows(cfg: dict[str, Any], name: str, chosen: Recipe) -> tuple[list[RowEdit], str]:
    """What a recipe makes of a stock model's rows, and the model's task; `cfg` itself is left as it is."""
    import yaml

    edits = []
    stock = cfg["backbone"] + cfg["head"]
    task, sites = _sites(yaml.safe_dump(cfg), name)
    for i, (stride, places) in sites.items():
        _, _, module, args = stock[i]
        if isinstance(places, str):
            edits.append(RowEdit(i, module, reason=places))
        else:
            edits.append(_edit_row(i, module, args, places, stride, i >= len(cfg["backbone"]), chosen))
    edits += _edit_head(cfg, chosen)
    return edits, task


@lru_cache(maxsize=1)
def _sites(text: str, name: str) -> tuple[str, dict[int, tuple[float, list[Place] | str]]]:
    """Task, and of each row that is a convolution or stage its stride and its places, one a scale, or why it has none.

    Kept for the next recipe on the same YAML, as models are built for it.
    """
    import yaml

    cfg = yaml.safe_load(text)
    scales = list(cfg.get("scales") or [""])
    smallest = smallest_scale(cfg)
    strides, task = _strides(cfg, name, smallest)
    layers = [build({**cfg, "scale": scale}, cfg.get("channels", 3)) for scale in scales]
    sites: dict[int, tuple[float, list[Place] | str]] = {}
    for i, (_, n, module, _) in enumerate((cfg["backbone"] + cfg["head"])[:-1]):
        if module.startswith("plugins."):
            continue
        rows = [scale[i] for scale in layers]
        try:
            places = [place_of(m[0] if n > 1 and type(m) is nn.Sequential and _alike(m) else m) for m in rows]
        except NoPlace as error:
            sites[i] = strides[i], str(error)
            continue
        if found := [place for place in places if place is not None]:
            sites[i] = strides[i], found
    return task, sites


def smallest_scale(cfg: dict[str, Any]) -> str:
    """The scale of the least depth × width, or an empty string for a YAML without scales."""
    scales = cfg.get("scales") or {}
    return min(scales, key=lambda s: math.prod(scales[s][:2]), default="")


def reasons(cfg: dict[str, Any], edits: list[RowEdit]) -> str:
    """Why rows stay as they are, rows of one reason together; or what rows there are, where none could be edited."""
    found: dict[tuple[str, str], list[str]] = {}
    for edit in edits:
        if edit.reason:
            found.setdefault((edit.stock, edit.reason), []).append(str(edit.row))
    said = [
        f"{stock} (row{'s' * (len(rows) > 1)} {', '.join(rows)}) {reason}" for (stock, reason), rows in found.items()
    ]
    return "; ".join(said) or f"there are only {', '.join(dict.fromkeys(r[2] for r in cfg['backbone'] + cfg['head']))}"


def apply_edits(cfg: dict[str, Any], edits: list[RowEdit]) -> None:
    """Put the edited rows into a model's description."""
    rows = cfg["backbone"] + cfg["head"]
    for edit in edits:
        if edit.block:
            rows[edit.row][2:] = [f"plugins.{edit.block}", list(edit.args)]


def _counted(edits: list[RowEdit]) -> str:
    """How many rows a recipe looked at, and what they are: the head only where it has rules for one."""
    kinds = "convolutions, stages and head" if any(edit.head for edit in edits) else "convolutions and stages"
    return f"{len(edits)} {kinds}"


def _edit_row(
    i: int, module: str, args: list[Any], places: list[Place], stride: float, neck: bool, chosen: Recipe
) -> RowEdit:
    refusals = []
    first = places[0]
    kind = "conv" if first.kind == "conv" else "stage"
    for rule in chosen.rules:
        if rule.kind != kind:
            continue
        reason = _out_of_reach(rule, first, stride, neck)
        if reason is None:
            cls = BLOCKS[rule.block]
            stands = [standing(cls, place) for place in places]
            refused = (refusal(cls, place, rule.options) for place in stands)
            reason = next((r for r in refused if r), None)
            if reason is None:
                row = (args[0], *row_arguments(cls, stands[0], rule.options))
                return RowEdit(i, module, rule.block, row)
        refusals.append(reason)
    return RowEdit(i, module, reason=refusals[-1] if refusals else f"has no rule in the recipe, as a {kind}")


def _edit_head(cfg: dict[str, Any], chosen: Recipe) -> list[RowEdit]:
    """The head's edit, for recipes that have a head."""
    i, (_, _, module, args) = len(cfg["backbone"] + cfg["head"]) - 1, cfg["head"][-1]
    rules = [rule for rule in chosen.rules if rule.kind == "head"]
    fitting = next((rule for rule in rules if BLOCKS[rule.block].__bases__[0].__name__ == module), None)
    if fitting is None:
        return [RowEdit(i, module, reason="the recipe has no head of this kind", head=True)] if rules else []
    if cfg.get("end2end"):
        return [RowEdit(i, module, reason=f"is end-to-end, which {fitting.block} is not", head=True)]
    names = [name for name in inspect.signature(BLOCKS[fitting.block]).parameters if name != "c1"]
    row = [fitting.options.get(name, arg) for name, arg in zip(names, args, strict=False)]
    return [RowEdit(i, module, fitting.block, tuple(row), head=True)]


def _out_of_reach(rule: Rule, place: Place, stride: float, neck: bool) -> str | None:
    if neck and not rule.neck:
        return "is in the neck, which the recipe leaves"
    if not neck and stride < rule.stride:
        return f"is at stride {stride:g}; the recipe begins at {rule.stride}"
    if place.kind == "conv" and place.k < rule.kernel:
        return f"has a {place.k}×{place.k} kernel; the recipe begins at {rule.kernel}×{rule.kernel}"
    return None


def _alike(layers: nn.Sequential) -> bool:
    return len({type(layer) for layer in layers}) == 1


def _kept_modules(cfg: dict[str, Any], edits: list[RowEdit]) -> set[str]:
    gone = {edit.row for edit in edits if edit.block}
    return {row[2] for i, row in enumerate(cfg["backbone"] + cfg["head"]) if i not in gone}


def light_name(stem: str, label: str, task: str = "detect") -> str:
    """The file name of a light model: yolov8-seg and ghost → yolov8-ghost-seg.yaml."""
    family = re.match(r"(?:yoloe-(?:v?\d+)|yolov?\d+[a-z]?|rtdetr-[a-z0-9]+)", stem)
    at = family.end() if family else len(stem)
    return f"{stem[:at]}-{label}{stem[at:]}.yaml"


@contextmanager
def built(text: str, name: str) -> Iterator[Any]:
    """The Ultralytics model of a YAML's text, under the file name that gives it scale and kind."""
    from ultralytics import RTDETR, YOLO
    from ultralytics.utils import LOGGER

    level = LOGGER.level
    LOGGER.setLevel("ERROR")
    kind = RTDETR if "RTDETRDecoder" in text else YOLO
    # A prefix without digits: Ultralytics looks for a scale letter in the whole path.
    with tempfile.TemporaryDirectory(prefix="yolo-plugins-") as folder:
        file = Path(folder) / name
        file.write_text(text, encoding="utf-8")
        try:
            yield kind(file)
        finally:
            LOGGER.setLevel(level)


def _strides(cfg: dict[str, Any], name: str, scale: str) -> tuple[list[float], str]:
    """Stride of each row's output, found by running the smallest scale once, and the task."""
    import yaml

    heights: dict[int, float] = {}
    with built(yaml.safe_dump(offline(cfg)), with_scale(name, scale)) as yolo:
        layers = yolo.model.model
        hooks = [
            layer.register_forward_hook(lambda _, __, out, i=i: heights.__setitem__(i, _stride(out)))
            for i, layer in enumerate(layers)
        ]
        with torch.no_grad():
            yolo.model.eval()(torch.zeros(1, cfg.get("channels", 3), 256, 256))
        for hook in hooks:
            hook.remove()
        return [heights.get(i, math.inf) for i in range(len(layers))], str(yolo.task)


def _stride(output: Any) -> float:
    return 256 / output.shape[-2] if isinstance(output, torch.Tensor) and output.dim() == 4 else math.inf


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
    cfg = yaml.safe_load(text)
    if i != len(cfg["backbone"] + cfg["head"]):
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
    return f'"{value}"' if isinstance(value, str) and value != "nc" else str(value)


def _figures(text: str, name: str) -> dict[str, tuple[int, float]]:
    """Parameters and GFLOPs at each scale, before fusing, at 640×640."""
    import yaml
    from ultralytics.utils.torch_utils import get_flops

    costs = {}
    for scale in yaml.safe_load(text).get("scales") or [""]:
        with built(text, with_scale(name, scale)) as yolo:
            costs[scale] = (sum(p.numel() for p in yolo.model.parameters()), get_flops(yolo.model, 640))
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
