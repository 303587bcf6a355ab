"""Images that calibrate: which, by seed, as Ultralytics gives them to an exported model, and passes of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..training.data_yaml import description, labels, split_images
from ..training.images import find_images


@dataclass(frozen=True)
class Calibration:
    """Images without labels, and, where there are labels to measure accuracy by, the data YAML that has them."""

    images: Sequence[Path]
    labelled: str | None


def choose(data: str | Path, images: int, seed: int) -> Calibration:
    """So many images at most, by seed: of a folder, or the training images of a data YAML.

    Raises:
        ValueError: fewer than one image is asked for, or none is there.
        OSError: the folder, the YAML or its images do not exist.
    """
    if images < 1:
        raise ValueError(f"--images {images}: calibration takes at least one image")
    path = Path(data)
    if path.is_dir():
        found, labelled = find_images(path), None
    else:
        content = description(path)
        found = split_images(content, path, "train" if content.get("train") else "val")
        has_labels = any(file.is_file() for file in labels(split_images(content, path, "val")))
        labelled = str(path.resolve()) if has_labels else None
    if len(found) > images:
        found = sorted(random.Random(seed).sample(found, images))
    return Calibration(found, labelled)


def prepared(path: Path, imgsz: int) -> Any:
    """An image as float32 (1, 3, imgsz, imgsz), RGB in [0, 1], its longer side fitted and the rest padded grey.

    Raises:
        ValueError: a file that is no image, named.
    """
    from ultralytics.data.augment import LetterBox

    image = cv2.imread(str(path))
    if image is None:
        raise ValueError(f"{path} cannot be read as an image; remove it from the data")
    square: Any = LetterBox((imgsz, imgsz), auto=False)(image=image)
    return np.ascontiguousarray(square[None, ..., ::-1].transpose(0, 3, 1, 2), dtype=np.float32) / 255


def observe(model: nn.Module, images: Sequence[Tensor], hooks: Sequence[RemovableHandle]) -> None:
    """Run a model on batches of images for what its hooks see, and take them off."""
    try:
        for image in images:
            model(image)
    finally:
        for hook in hooks:
            hook.remove()
