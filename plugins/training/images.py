"""A folder of images as batches for a model: no labels, sizes reduced, mirrored at random."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
KEPT = 2**30
"""Bytes of reduced images kept in memory."""


def find_images(folder: str | Path) -> list[Path]:
    """Every image in a folder and in the folders in it.

    Raises:
        OSError: there is no such folder, or it is closed.
        ValueError: no image is in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder of images")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise PermissionError(f"{folder} cannot be read; its permissions forbid it")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise ValueError(f"no image is in {folder}; looked for {', '.join(sorted(SUFFIXES))}")
    return files


def image_batches(
    files: list[Path],
    size: int,
    batch: int,
    *,
    vertical_flips: bool = False,
    seed: int = 0,
) -> Callable[[], Tensor]:
    """A function that gives a batch (B, 3, H, W) of RGB in [0, 1] at each call, shuffled anew in each round.

    The longer side is `size`; images of other shapes are padded grey to multiples of 32, as Ultralytics pads them.
    Images are mirrored and made lighter or darker by up to 15 % at random.

    Raises:
        ValueError: a file that is no image, named.
    """
    generator = torch.Generator().manual_seed(seed)
    load = lru_cache(max(1, KEPT // (3 * size**2)))(partial(read_image, size=size))
    order: list[int] = []

    def give() -> Tensor:
        if len(order) < batch:
            order.extend(torch.randperm(len(files), generator=generator).tolist() * (1 + batch // len(files)))
        images = [load(files[order.pop()]) for _ in range(batch)]
        h, w = (-(-max(image.shape[d] for image in images) // 32) * 32 for d in (1, 2))
        x = torch.stack([padded(image, h, w) for image in images]).float() / 255
        chance = torch.rand(2, generator=generator)
        if chance[0] < 0.5:
            x = x.flip(-1)
        if vertical_flips and chance[1] < 0.5:
            x = x.flip(-2)
        return (x * (1 + 0.3 * (torch.rand(batch, 3, 1, 1, generator=generator) - 0.5))).clamp(0, 1)

    return give


def read_image(path: Path, size: int) -> Tensor:
    """An image, (3, H, W) of RGB bytes, its longer side `size`.

    Raises:
        ValueError: the file is no image.
    """
    image = cv2.imread(str(path))
    if image is None:
        raise ValueError(f"{path} cannot be read as an image; remove it from the folder")
    h, w = image.shape[:2]
    scale = size / max(h, w)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image = cv2.resize(image, (max(1, round(w * scale)), max(1, round(h * scale))), interpolation=interpolation)
    return torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(2, 0, 1)


def padded(image: Tensor, h: int, w: int) -> Tensor:
    """An image in the middle of a grey one of that height and width."""
    top, left = (h - image.shape[1]) // 2, (w - image.shape[2]) // 2
    return nn.functional.pad(image, (left, w - image.shape[2] - left, top, h - image.shape[1] - top), value=114)
