"""Maps of several models' layers on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..training.images import padded, read_image
from .methods import METHODS, method_class
from .subjects import Layer, Scored, Subject, image_files, refuse_flat, subjects

STRIDE = 32
__all__ = ["METHODS", "Heatmaps", "Layer", "heatmap_of"]


@dataclass(frozen=True)
class Heatmaps:
    """Heat maps of models' layers on images.

    Attributes:
        files: The images' paths.
        images: The images, (H, W, 3) of RGB bytes, their longer side the image size.
        columns: Model and layer of each column.
        maps: By image and column, (H, W) from 0 to 1.
        method: How they were made.
    """

    files: list[Path]
    images: list[Any]
    columns: list[tuple[str, str]]
    maps: list[list[Any]]
    method: str


def heatmap_of(models: Any, images: Any, layers: Sequence[Layer] | None, method: str, imgsz: int) -> Heatmaps:
    """The maps; arguments and errors as `yolo_plugins.heatmap`."""
    made_by = method_class(method)
    if imgsz < STRIDE:
        raise ValueError(f"imgsz={imgsz} must be at least {STRIDE}")
    files = image_files(images)
    pictures = [read_image(file, imgsz) for file in files]
    chosen = subjects(models, layers)
    for subject in chosen:
        refuse_flat(subject, _batch(pictures[0])[0])
    by_subject = [_maps(subject, pictures, made_by, method != "eigencam") for subject in chosen]
    return Heatmaps(
        files,
        [picture.permute(1, 2, 0).numpy() for picture in pictures],
        [(subject.name, name) for subject in chosen for name, _ in subject.layers],
        [[cam for maps in by_subject for cam in maps[i]] for i in range(len(pictures))],
        method,
    )


def _maps(subject: Subject, pictures: list[torch.Tensor], made_by: Any, gradients: bool) -> list[list[Any]]:
    """By image and layer, the map of one model."""
    scored = Scored(subject.network.requires_grad_(gradients))
    found: list[list[Any]] = [[] for _ in pictures]
    for _, layer in subject.layers:
        with made_by(model=scored, target_layers=[layer]) as cam:
            for i, picture in enumerate(pictures):
                x, (top, left) = _batch(picture)
                with torch.set_grad_enabled(gradients):
                    heat = cam(input_tensor=x, targets=None)[0]
                h, w = picture.shape[1:]
                found[i].append(_stretched(heat[top : top + h, left : left + w]))
    return found


def _batch(picture: torch.Tensor) -> tuple[torch.Tensor, tuple[int, int]]:
    """An image as a batch of one, padded to whole strides; and where in it the image begins."""
    h, w = (-(-side // STRIDE) * STRIDE for side in picture.shape[1:])
    corner = (h - picture.shape[1]) // 2, (w - picture.shape[2]) // 2
    return padded(picture, h, w)[None].float() / 255, corner


def _stretched(heat: Any) -> Any:
    """From 0 to 1, the padding left out; a map of one value is 0."""
    heat = heat - heat.min()
    return np.float32(heat / heat.max()) if heat.max() > 0 else np.zeros_like(heat, np.float32)
