"""Mosaics of unlabelled images: four at a time, larger and smaller, cut, mirrored and coloured at random."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from .images import reader

SCALES = (0.5, 1.5)
"""How large an image may be in a mosaic, beside its own size."""
SATURATION, BRIGHTNESS = 0.7, 0.4
"""By what share colours change at most, as in Ultralytics' training."""
GREY = 114

Image = Any
"""(H, W, 3) of RGB bytes."""


def mosaic_batches(
    files: list[Path],
    size: int,
    batch: int,
    *,
    vertical_flips: bool = False,
    seed: int = 0,
    load: Callable[[Path], Tensor] | None = None,
) -> Callable[[], Tensor]:
    """A function that gives a batch (B, 3, S, S) of RGB in [0, 1] at each call, S being `size` made a multiple of 32.

    Four images meet somewhere in the middle half of each, as in Ultralytics' mosaics; what they leave open is grey.
    `load` reads an image of that size, by default `reader`.

    Raises:
        ValueError: a file that is no image, named.
    """
    random, side, read = np.random.default_rng(seed), -(-size // 32) * 32, load or reader(size)

    def give() -> Tensor:
        chosen = random.integers(len(files), size=(batch, 4))
        mosaics = [_mosaic([read(files[i]).permute(1, 2, 0).numpy() for i in four], side, random) for four in chosen]
        x = torch.from_numpy(np.stack(mosaics)).permute(0, 3, 1, 2).float()
        flips = [d for d, wanted in ((-1, True), (-2, vertical_flips)) if wanted and random.random() < 0.5]
        return _coloured(x.flip(flips), random)

    return give


def _mosaic(images: list[Image], side: int, random: np.random.Generator) -> Image:
    """Four images around a point, each with the corner that is next to it."""
    whole = np.full((side, side, 3), GREY, np.uint8)
    x, y = (int(v) for v in random.uniform(0.25, 0.75, 2) * side)
    scale = random.uniform(*SCALES)
    for number, image in enumerate(images):
        h, w = (max(1, round(length * scale)) for length in image.shape[:2])
        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        if random.random() < 0.5:
            image = image[:, ::-1]
        room_x, room_y = (x, side - x)[number % 2], (y, side - y)[number // 2]
        w, h = min(w, room_x), min(h, room_y)
        left, top = (x - w, x)[number % 2], (y - h, y)[number // 2]
        cut = image[-h:] if number < 2 else image[:h]
        whole[top : top + h, left : left + w] = cut[:, -w:] if number % 2 == 0 else cut[:, :w]
    return whole


def _coloured(x: Tensor, random: np.random.Generator) -> Tensor:
    """Each image paler or stronger in its colours, and lighter or darker."""
    shape = (len(x), 1, 1, 1)
    saturation, brightness = (
        torch.from_numpy(random.uniform(1 - most, 1 + most, shape)).float() for most in (SATURATION, BRIGHTNESS)
    )
    grey = x.mean(1, keepdim=True)
    return x.sub_(grey).mul_(saturation).add_(grey).mul_(brightness / 255).clamp_(0, 1)
