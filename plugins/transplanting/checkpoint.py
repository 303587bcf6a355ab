"""A trained Ultralytics checkpoint to a light one: rows swapped by a recipe, weights transplanted, saved as a `.pt`."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..blocks.counting import parameters
from ..models.building import load, save
from ..models.dry_run import build
from ..rows.description import image_channels, read, rows_of
from ..rows.yaml_files import locate
from ..swapping.places import is_activation
from ..swapping.recipes import Recipe, recipe
from ..swapping.row_edits import RowEdit, apply_edits, edit_rows, reasons
from ..training.images import find_images, image_batches
from .distances import predictions
from .recording import check_shape, recorded
from .schedule import Progress, Schedule, TransplantReport
from .transplanting import transplant


def transplant_checkpoint(
    checkpoint: str | Path,
    images: str | Path,
    output: str | Path,
    *,
    swap: str | Path | Recipe | None = None,
    model: str | None = None,
    imgsz: int | None = None,
    batch: int = 8,
    nc: int | None = None,
    vertical_flips: bool = False,
    keep_activations: bool = False,
    schedule: Schedule | None = None,
    progress: Progress | None = None,
) -> tuple[TransplantReport, tuple[int, int]]:
    """Swap a trained checkpoint's blocks and teach the new ones what the old ones did, from unlabelled images.

    Args:
        checkpoint: The trained `.pt`; it is only read.
        images: A folder of images like those that it was trained on.
        output: The `.pt` to write, for `yolo val`, `yolo train` and the rest.
        swap: A recipe's name or file, or what `compose` made; or
        model: a model YAML whose rows are aligned with the checkpoint's.
        imgsz: Longer side of the images; by default what the checkpoint was trained at.
        batch: Images a step; with `vertical_flips`, for images without an up and down, mirrored top to bottom too.
        nc: Number of classes of the result, where it is to be another; the head is then begun anew as Ultralytics does.
        keep_activations: Leave the blocks the activations that they have by themselves, not the teacher's.
        schedule: Steps and learning rates; `progress` is told of each, as by `transplant`.

    Returns:
        The report, and the parameters before and after.

    Raises:
        ValueError: not a checkpoint with a model inside, a fused one, rows that do not fit, no images.
        OSError: a file or folder that cannot be read or written.
    """
    output, schedule = Path(output), schedule or Schedule()
    if output.exists() and output.resolve() == Path(checkpoint).resolve():
        raise ValueError(f"{output} is the teacher itself, which is kept; give another name")
    teacher, train_args = load(checkpoint)
    files, size = find_images(images), imgsz or int(train_args.get("imgsz") or 640)
    student = _student(teacher, str(checkpoint), swap, model, keep_activations)
    batches = image_batches(files, size, batch, vertical_flips=vertical_flips, seed=schedule.seed)
    watched, state = predictions(teacher), output.with_name(f".{output.name}.partial")
    report = transplant(teacher, student, batches, None, schedule, outputs=watched, state=state, progress=progress)
    counts = parameters(teacher), parameters(student)
    if nc and nc != student.yaml["nc"]:
        student = _reheaded(student, nc)
    save(student, output, train_args, half=True)
    return report, counts


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


def _student(
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


def _reheaded(student: Any, nc: int) -> Any:
    from ultralytics.utils import LOGGER

    other = rebuilt(student, {**copy.deepcopy(student.yaml), "nc": nc})
    LOGGER.info(f"head: {student.yaml['nc']} classes → {nc}; its last layers begin anew")
    other.load(student)
    other.args, other.task = student.args, student.task
    return other.eval()
