"""A small detection and segmentation dataset, drawn with OpenCV and the same for the same seed.

Discs, boxes, triangles and stars of many sizes, shaded and overlapping, lie on cluttered backgrounds that look like
blurred photographs. Labels are polygons of what is visible of each shape; its box is the polygon's extent.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

CLASSES = ("disc", "box", "triangle", "star")
SUPERSAMPLING = 4
"""Shapes are drawn this much larger and shrunk: smooth edges, and outlines exact to an eighth of a pixel."""

Array = Any  # OpenCV's type stubs tell arrays apart by dtype, which nothing here depends on


@dataclass(frozen=True)
class Shape:
    """One visible shape: class number, and its outline as (n, 2) x, y in pixels."""

    label: int
    polygon: Array

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2 in pixels."""
        (x1, y1), (x2, y2) = self.polygon.min(0), self.polygon.max(0)
        return float(x1), float(y1), float(x2), float(y2)


def write(
    folder: Path,
    train: int = 320,
    val: int = 80,
    size: int = 160,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw the dataset into `folder`, in YOLO's layout; replaces what is there only when it is complete.

    Args:
        folder: Where to.
        train: Number of training images.
        val: Number of validation images.
        size: Side of the square images in pixels.
        seed: Of all that is random.
        progress: Called with images done and images in all.

    Returns:
        The dataset's YAML, to be given as `data=`.

    Raises:
        ValueError: no images, or images too small for shapes.
        OSError: `folder` cannot be written.
    """
    if train < 1 or val < 1:
        raise ValueError(f"train={train} and val={val} images: each must be at least 1")
    if size < 64:
        raise ValueError(f"size={size} is too small for shapes; use 64 pixels or more")
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        for done, (split, i) in enumerate([("train", i) for i in range(train)] + [("val", i) for i in range(val)], 1):
            _write_image(temporary, split, i, *draw(size, np.random.default_rng([seed, split == "val", i])))
            if progress:
                progress(done, train + val)
        places = {split: f"images/{split}" for split in ("train", "val")}
        described = {"path": str(folder), **places, "names": dict(enumerate(CLASSES))}
        (temporary / "shapes.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
        os.chmod(temporary, 0o755)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder / "shapes.yaml"


def _write_image(folder: Path, split: str, i: int, image: Array, shapes: list[Shape]) -> None:
    for part in ("images", "labels"):
        (folder / part / split).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "images" / split / f"{i:04}.jpg"), image)
    lines = [" ".join([str(s.label), *(f"{v:.5f}" for v in (s.polygon / len(image)).ravel())]) for s in shapes]
    (folder / "labels" / split / f"{i:04}.txt").write_text("\n".join(lines) + "\n")


def draw(size: int, random: np.random.Generator) -> tuple[Array, list[Shape]]:
    """One image, (size, size, 3) BGR uint8, and what is to be seen on it."""
    image: Array = _background(size, random).astype(np.float32)
    large = size * SUPERSAMPLING
    owner = np.zeros((large, large), np.uint8)  # number of the topmost shape at each point, from 1
    labels: list[int] = []
    for _ in range(int(random.integers(3, 9))):
        label = int(random.integers(len(CLASSES)))
        stamp = _place(label, owner, len(labels) + 1, random)
        if stamp is None:
            continue
        labels.append(label)
        owner[stamp > 0] = len(labels)
        image = _paint(image, stamp, random)
    image = cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.3, 0.8)))
    image += random.normal(0, random.uniform(2, 7), image.shape)
    return image.clip(0, 255).astype(np.uint8), [
        Shape(label, _outline(owner == i)) for i, label in enumerate(labels, 1)
    ]


def _place(label: int, owner: Array, number: int, random: np.random.Generator) -> Array | None:
    """A shape's mask at a place where all shapes stay well visible and in one piece, or None if none is found."""
    large = owner.shape[0]
    for _ in range(20):
        radius = large * math.exp(random.uniform(math.log(0.06), math.log(0.24)))
        centre = random.uniform(0.6 * radius, large - 0.6 * radius, 2)
        stamp = np.zeros_like(owner)
        points = _corners(label, random) * radius + centre
        cv2.fillPoly(stamp, [np.round(points).astype(np.int32)], number)
        after = np.where(stamp > 0, number, owner)
        if all(_recognisable(after == i, owner == i if i < number else None) for i in range(1, number + 1)):
            return stamp
    return None


def _recognisable(mask: Array, before: Array | None) -> bool:
    """Whether a shape is in one piece without holes, and has not lost more than a third of itself."""
    if before is not None and mask.sum() < 0.67 * before.sum():
        return False
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return len(contours) == 1


def _corners(label: int, random: np.random.Generator) -> Array:
    """Outline of a shape around (0, 0) within radius 1, turned and stretched at random."""
    if CLASSES[label] == "star":
        radii, count = np.tile([1.0, random.uniform(0.38, 0.5)], 5), 10
    else:
        count = {"disc": 72, "box": 4, "triangle": 3}[CLASSES[label]]
        radii = np.ones(count)
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    points = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    if CLASSES[label] == "box":  # stretched along its sides, so that corners stay square
        points = points @ _rotation(np.pi / 4)
    points *= [1, random.uniform(0.7, 1)]
    return points @ _rotation(random.uniform(0, 2 * np.pi))


def _rotation(angle: float) -> Array:
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def _outline(mask: Array) -> Array:
    """Outline of a mask drawn at `SUPERSAMPLING`, in pixels of the image."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 1.0, closed=True)
    return (contour[:, 0].astype(np.float64) + 0.5) / SUPERSAMPLING


def _paint(image: Array, stamp: Array, random: np.random.Generator) -> Array:
    """The image with a shaded, slightly textured shape of some colour and its soft shadow."""
    size = image.shape[0]
    alpha = cv2.resize((stamp > 0).astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)[..., None]
    shift: Array = np.array([[1, 0, random.uniform(1, 4)], [0, 1, random.uniform(1, 4)]], np.float32)
    shadow = cv2.GaussianBlur(cv2.warpAffine(alpha, shift, (size, size)), (0, 0), 2.0)[..., None]
    image = image * (1 - 0.45 * shadow)
    colour = random.uniform(30, 235, 3).astype(np.float32)
    light = _ramp(size, random)[..., None] * random.uniform(0.1, 0.5) + 0.75
    texture = _noise(size, random.uniform(1, 3), random)[..., None] * random.uniform(0, 25)
    return image * (1 - alpha) + (colour * light + texture) * alpha


def _background(size: int, random: np.random.Generator) -> Array:
    """Colours that vary slowly, out-of-focus things, grain: what a photograph looks like behind its subject."""
    image: Array = np.full((size, size, 3), random.uniform(60, 180, 3), np.float32)
    for scale, strength in ((size / 3, 45), (size / 8, 25), (size / 30, 12)):
        tint = random.uniform(0.5, 1, 3).astype(np.float32)
        image += _noise(size, scale, random)[..., None] * strength * tint
    for _ in range(int(random.integers(4, 10))):
        blob: Array = np.zeros((size, size), np.float32)
        centre = tuple(int(v) for v in random.integers(0, size, 2))
        axes = tuple(int(v) for v in random.integers(size // 16, size // 3, 2))
        cv2.ellipse(blob, centre, axes, float(random.uniform(0, 180)), 0, float(random.uniform(90, 360)), 1.0, -1)
        blob = cv2.GaussianBlur(blob, (0, 0), float(random.uniform(size / 80, size / 16)))[..., None]
        image = image * (1 - 0.6 * blob) + random.uniform(20, 230, 3).astype(np.float32) * 0.6 * blob
    return image * (0.8 + 0.4 * _ramp(size, random)[..., None])


def _noise(size: int, scale: float, random: np.random.Generator) -> Array:
    """Smooth noise of mean 0 and deviation 1 whose features are `scale` pixels large."""
    coarse = max(2, math.ceil(size / scale))
    noise: Array = random.standard_normal((coarse, coarse)).astype(np.float32)
    noise = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return (noise - noise.mean()) / (noise.std() + 1e-6)


def _ramp(size: int, random: np.random.Generator) -> Array:
    """Light from one side, 0 to 1."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    return np.clip(0.5 + x * math.cos(angle) + y * math.sin(angle), 0, 1).astype(np.float32)
