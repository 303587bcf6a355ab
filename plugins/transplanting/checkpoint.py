"""A trained Ultralytics checkpoint to a light one: rows swapped by a recipe, weights transplanted, saved as a `.pt`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..blocks.counting import parameters
from ..models.building import load, save
from ..swapping.recipes import Recipe
from ..training.images import find_images, image_batches
from .classes import with_classes
from .distances import predictions
from .schedule import Progress, Schedule, TransplantReport
from .students import light_student
from .transplanting import transplant


@dataclass(frozen=True)
class Light:
    """Which light model a checkpoint is to become.

    Args:
        swap: A recipe's name or file, or what `compose` made; or
        model: a model YAML whose rows are aligned with the checkpoint's.
        names: The result's classes by number, where they are to be others; those that the teacher knows by name keep
            what was learned of them, the others begin anew.
        keep_activations: Leave the blocks the activations that they have by themselves, not the teacher's.
    """

    swap: str | Path | Recipe | None = None
    model: str | None = None
    names: Mapping[int, str] | None = None
    keep_activations: bool = False


def transplant_checkpoint(
    checkpoint: str | Path,
    images: str | Path | Sequence[Path],
    output: str | Path,
    light: Light,
    *,
    imgsz: int | None = None,
    batch: int = 8,
    vertical_flips: bool = False,
    device: str = "cpu",
    schedule: Schedule | None = None,
    progress: Progress | None = None,
) -> tuple[TransplantReport, tuple[int, int]]:
    """Swap a trained checkpoint's blocks and teach the new ones what the old ones did, from unlabelled images.

    Args:
        checkpoint: The trained `.pt`; it is only read.
        images: A folder of images like those that it was trained on, or their files.
        output: The `.pt` to write, for `yolo val`, `yolo train` and the rest.
        light: What it is to become.
        imgsz: Longer side of the images; by default what the checkpoint was trained at.
        batch: Images a step; with `vertical_flips`, for images without an up and down, mirrored top to bottom too.
        device: As torch names it.
        schedule: Steps and learning rates; `progress` is told of each.

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
    files = find_images(images) if isinstance(images, (str, Path)) else list(images)
    size = imgsz or int(train_args.get("imgsz") or 640)
    student = light_student(teacher, str(checkpoint), light.swap, light.model, light.keep_activations)
    teacher, student = (model.to(device, memory_format=torch.channels_last) for model in (teacher, student))
    batches = image_batches(files, size, batch, vertical_flips=vertical_flips, seed=schedule.seed)
    state = output.with_name(f".{output.name}.partial")
    watched = predictions(teacher, student)
    report = transplant(teacher, student, batches, None, schedule, outputs=watched, state=state, progress=progress)
    counts = parameters(teacher), parameters(student)
    student = student.to("cpu", memory_format=torch.contiguous_format)
    if light.names is not None:
        student, report.classes = with_classes(student, light.names)
    save(student, output, train_args, half=True)
    return report, counts
