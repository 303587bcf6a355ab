"""What a recipe makes of a model's rows: which block goes where, or why a row stays; nothing is written here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from torch import nn

from ..blocks.registry import PREFIX, find
from ..blocks.signature import signature_of
from ..models.building import quiet
from ..models.dry_run import IMAGE, RowError, build, run
from ..rows.description import image_channels, rows_of, scales_by_size
from ..rows.stock_base import stock_head
from .places import NoPlace, Place, place_of, refusal, row_arguments, standing
from .recipes import Recipe, Rule

WORDS = "compares its maps with embeddings of words or prompts, whose widths another network gives"
STAYING = {
    **dict.fromkeys(("WorldDetect", "YOLOEDetect", "YOLOESegment", "YOLOESegment26"), WORDS),
    "RTDETRDecoder": "is a transformer's decoder, which has no branches over maps that could be made light",
    "SemanticSegment": "labels pixels, for which there is no light head",
    "Depth": "gives a depth to pixels, for which there is no light head",
}
"""Why heads without a light counterpart stay."""


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
class _Site:
    """A stock row that is a convolution or stage: its stride, and its places, one a scale, or why it has none."""

    row: int
    module: str
    c2: Any
    neck: bool
    stride: float
    places: tuple[Place, ...] = ()
    reason: str = ""


def edit_rows(description: dict[str, Any], name: str, chosen: Recipe) -> tuple[list[RowEdit], str]:
    """What a recipe makes of a stock model's rows, and the model's task; the description is left as it is."""
    import yaml

    task, sites = _sites(yaml.safe_dump(description), name)
    return [*(_edit_row(site, chosen) for site in sites), *_edit_head(description, chosen)], task


@lru_cache(maxsize=1)
def _sites(text: str, name: str) -> tuple[str, list[_Site]]:
    """Task and sites of a model; kept for the next recipe on the same YAML, as models are built for it."""
    import yaml
    from ultralytics.nn import tasks

    description = yaml.safe_load(text)
    scales = scales_by_size(description)
    layers = [build({**description, "scale": scale, "yaml_file": name}) for scale in scales]
    strides = _strides(layers[0], image_channels(description))
    with quiet():
        task = str(tasks.guess_model_task(description) or "detect")  # it does not know RT-DETR's decoder
    sites = []
    for i, (_, n, module, args) in enumerate(rows_of(description)[:-1]):
        if module.startswith(PREFIX):
            continue
        site = _Site(i, module, args[0] if args else None, i >= len(description["backbone"]), strides[i])
        rows = [scale[i] for scale in layers]
        try:
            places = [
                place_of(m[0] if n > 1 and type(m) is nn.Sequential and _alike(m) else m, with_attention=True)
                for m in rows
            ]
        except NoPlace as error:
            sites.append(replace(site, reason=str(error)))
            continue
        if found := tuple(place for place in places if place is not None):
            sites.append(replace(site, places=found))
    return task, sites


def reasons(description: dict[str, Any], edits: list[RowEdit]) -> str:
    """Why rows stay as they are, rows of one reason together; or what rows there are, where none could be edited."""
    found: dict[tuple[str, str], list[str]] = {}
    for edit in edits:
        if edit.reason:
            found.setdefault((edit.stock, edit.reason), []).append(str(edit.row))
    said = [
        f"{stock} (row{'s' * (len(rows) > 1)} {', '.join(rows)}) {reason}" for (stock, reason), rows in found.items()
    ]
    return "; ".join(said) or f"there are only {', '.join(dict.fromkeys(row[2] for row in rows_of(description)))}"


def apply_edits(description: dict[str, Any], edits: Iterable[RowEdit]) -> None:
    """Put the edited rows into a model's description."""
    rows = rows_of(description)
    for edit in edits:
        if edit.block:
            rows[edit.row][2:] = [f"{PREFIX}{edit.block}", list(edit.args)]


def _edit_row(site: _Site, chosen: Recipe) -> RowEdit:
    if site.reason:
        return RowEdit(site.row, site.module, reason=site.reason)
    first = site.places[0]
    kind = "conv" if first.kind == "conv" else "stage"
    reason = f"has no rule in the recipe, as a {kind}"
    for rule in chosen.rules:
        if rule.kind != kind:
            continue
        cls = find(rule.block)
        stands = [standing(cls, place) for place in site.places]
        refused = (refusal(cls, place, rule.options) for place in stands)
        found = _out_of_reach(rule, first, site.stride, site.neck) or next((r for r in refused if r), None)
        if found is None:
            return RowEdit(site.row, site.module, rule.block, (site.c2, *row_arguments(cls, stands[0], rule.options)))
        reason = found
    return RowEdit(site.row, site.module, reason=reason)


def _edit_head(description: dict[str, Any], chosen: Recipe) -> list[RowEdit]:
    """The head's edit, for recipes that have a head."""
    i, (_, _, module, args) = len(rows_of(description)) - 1, rows_of(description)[-1]
    rules = [rule for rule in chosen.rules if rule.kind == "head"]
    fitting = next((rule for rule in rules if stock_head(f"{PREFIX}{rule.block}") == module), None)
    if fitting is None:
        return [RowEdit(i, module, reason=STAYING.get(module, "has no head in the recipe"), head=True)] if rules else []
    names = [name for name in signature_of(find(fitting.block)) if name != "c1"]
    row = [fitting.options.get(name, arg) for name, arg in zip(names, args, strict=False)]
    return [RowEdit(i, module, fitting.block, tuple(row), head=True)]


def _out_of_reach(rule: Rule, place: Place, stride: float, neck: bool) -> str | None:
    if neck and not rule.neck:
        return "is in the neck, which the recipe leaves"
    if not neck and stride < rule.stride:
        return f"is at stride {stride:g}; the recipe begins at {rule.stride}"
    if place.kind == "conv" and place.k < rule.kernel:
        return f"has a {place.k}×{place.k} kernel; the recipe begins at {rule.kernel}×{rule.kernel}"
    if rule.keeps and place.c1 != place.c2:
        return f"makes {place.c2} channels of {place.c1}, where the recipe wants as many"
    return None


def _alike(layers: nn.Sequential) -> bool:
    return len({type(layer) for layer in layers}) == 1


def _strides(layers: nn.Sequential, channels: int) -> list[float]:
    """Stride of each row's output, of one that is no map infinity."""
    try:
        maps = run(layers, channels)
    except RowError as error:  # a head that takes text besides the image
        maps = error.maps
    strides = [IMAGE / shapes[0][2] if len(shapes) == 1 and len(shapes[0]) == 4 else math.inf for shapes in maps]
    return strides + [math.inf] * (len(layers) - len(strides))
