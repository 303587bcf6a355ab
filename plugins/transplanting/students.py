"""The light model that a trained one becomes: its YAML edited by a recipe, or a YAML given, without weights yet."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..models.dry_run import build
from ..rows.description import image_channels, read, rows_of
from ..rows.yaml_files import locate
from ..swapping.places import is_activation
from ..swapping.recipes import Recipe, recipe
from ..swapping.row_edits import RowEdit, apply_edits, edit_rows, reasons
from .recording import check_shape, recorded


def one_scale(description: dict[str, Any]) -> dict[str, Any]:
    """A model's description with the scale that it was built at alone, or the first."""
    if not description.get("scales"):
        return description
    scale = description.get("scale") or next(iter(description["scales"]))
    return {**description, "scales": {scale: description["scales"][scale]}}


def recipe_edits(network: Any, chosen: Recipe, name: str = "model") -> list[RowEdit]:
    """What a recipe makes of a network's rows, at the scale that it was built at; `name` is for a YAML without one."""
    file = Path(str(network.yaml.get("yaml_file", name))).with_suffix(".yaml").name
    return edit_rows(one_scale(network.yaml), file, chosen)[0]


def rebuilt(network: Any, description: dict[str, Any]) -> Any:
    """A network of the same class and sort of head from another description, without weights."""
    description = {**description, "legacy": getattr(network.model[-1], "legacy", True)}
    channels = image_channels(description)
    return type(network)(description, ch=channels, nc=description["nc"], verbose=False).float()


def light_student(
    teacher: Any, name: str, swap: str | Path | Recipe | None, model: str | None, keep_activations: bool
) -> Any:
    """The untrained light model: the teacher's YAML edited by a recipe, or the YAML given, at the teacher's scale."""
    description = copy.deepcopy(teacher.yaml)
    if swap is not None and model is None:
        chosen = swap if isinstance(swap, Recipe) else recipe(swap)
        keep_activations |= chosen.own_activations
        edits = recipe_edits(teacher, chosen, name)
        if not any(edit.block for edit in edits):
            raise ValueError(f"{name}: no row can be swapped by {chosen.named}: {reasons(description, edits)}")
        apply_edits(description, edits)
    elif model is not None and swap is None:
        description = _aligned(description, model)
        _check_rows(teacher, description, model)
    else:
        raise ValueError("give either a recipe to swap by, or the YAML of an aligned light model")
    if not keep_activations and not description.get("activation"):
        act = next((m for m in teacher.modules() if is_activation(m)), nn.SiLU())
        description["activation"] = f"torch.nn.{type(act).__name__}()"
    student = rebuilt(teacher, description)
    for attribute in ("names", "args", "task", "kpt_shape", "kpt_names"):
        if hasattr(teacher, attribute):
            setattr(student, attribute, copy.deepcopy(getattr(teacher, attribute)))
    return student


def _aligned(description: dict[str, Any], model: str) -> dict[str, Any]:
    """A light YAML as given, at the teacher's scale and with its classes.

    Raises:
        ValueError: it has other rows than the teacher.
    """
    file = locate(model)
    light = read(file)
    rows, theirs = rows_of(light), rows_of(description)
    for i, (ours, old) in enumerate(zip(rows, theirs, strict=False)):
        if ours[0] != old[0]:
            raise ValueError(
                f"{file.name}: row {i} is from {ours[0]}, the teacher's from {old[0]}; rows must be aligned"
            )
    if len(rows) != len(theirs):
        raise ValueError(f"{file.name} has {len(rows)} rows, the teacher {len(theirs)}; rows must be aligned")
    return {**light, "scale": description.get("scale", ""), "nc": description["nc"], "yaml_file": model}


def _check_rows(teacher: Any, description: dict[str, Any], file: str) -> None:
    """Refuse a light YAML's first row that makes another shape than the teacher's of the same input.

    Raises:
        ValueError: the row, with both shapes.
    """
    rows = dict(build(description).eval().named_children())
    theirs = dict(list(teacher.model.named_children())[:-1])
    with torch.no_grad():
        record = recorded(teacher.eval(), torch.zeros(1, image_channels(description), 128, 128), theirs)
    for name, old in theirs.items():
        given, target = record[name]
        on_meta = [[t.to("meta") for t in x] if isinstance(x, list) else x.to("meta") for x in given]
        check_shape(f"{file}: row {name}", old, rows[name], tuple(on_meta), target)
