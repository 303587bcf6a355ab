"""The drawn shapes as datasets of other tasks: oriented boxes around their outlines, and the extremes of those."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

POINTS = (4, 3)


def _oriented(outline: Any) -> list[float]:
    """The corners of the smallest rectangle around an outline."""
    corners = cv2.boxPoints(cv2.minAreaRect(outline.astype(np.float32)))
    return [float(v) for v in corners.clip(0, 1).ravel()]


def _points(outline: Any) -> list[float]:
    """The box, then its leftmost, topmost, rightmost and lowest point, all of them visible."""
    low, high = outline.min(0), outline.max(0)
    extremes = [outline[i] for i in (*outline.argmin(0), *outline.argmax(0))]
    return [*((low + high) / 2), *(high - low), *(v for x, y in extremes for v in (x, y, 2))]


LABELS: dict[str, Callable[[Any], list[float]]] = {"obb": _oriented, "pose": _points}


def write(shapes: Path, task: str, folder: Path) -> Path:
    """The dataset YAML of a task, from that of `yolo_plugins.demo.dataset`."""
    shutil.copytree(shapes.parent / "images", folder / "images")
    for file in (shapes.parent / "labels").rglob("*.txt"):
        lines = []
        for line in file.read_text().splitlines():
            label, *outline = map(float, line.split())
            lines.append(f"{label:.0f} {' '.join(f'{v:.5f}' for v in LABELS[task](np.reshape(outline, (-1, 2))))}")
        target = folder / file.relative_to(shapes.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(lines) + "\n")
    description = {**yaml.safe_load(shapes.read_text()), "path": str(folder)}
    if task == "pose":
        description["kpt_shape"] = list(POINTS)
    (folder / "data.yaml").write_text(yaml.safe_dump(description))
    return folder / "data.yaml"


def data_for(model: str, shapes: Path, folders: Path, folder: Path) -> tuple[Path, Path]:
    """What a model of any task is trained on, told by its name, and an image: folders of classes for classification."""
    if "-cls" in model:
        return folders, next(folders.rglob("*.png"))
    task = next((task for task in LABELS if f"-{task}" in model), "")
    data = write(shapes, task, folder / "data") if task else shapes
    return data, next((shapes.parent / "images" / "val").glob("*.jpg"))
