"""What the demo leaves to look at: labels beside predictions, and training curves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from ultralytics.engine.results import Results

from ..files import write_bytes
from .dataset import CLASSES

ZOOM = 2
SHOWN = 8


def beside(folder: Path, task: str, dataset: Path) -> Path:
    """Validation images with labels on the left and predictions on the right; returns the picture's path."""
    tiles = []
    for image in sorted((dataset / "images" / "val").glob("*.jpg"))[:SHOWN]:
        labels = dataset / "labels" / "val" / f"{image.stem}.txt"
        predictions = folder / "runs" / f"{task}-predict" / "labels" / f"{image.stem}.txt"
        pair = [_drawn(image, labels, task == "segment", False), _drawn(image, predictions, task == "segment", True)]
        tiles.append(cv2.copyMakeBorder(np.hstack(pair), 2, 2, 4, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    if len(tiles) % 2:
        tiles.append(np.full_like(tiles[0], 255))
    sheet = np.vstack([np.hstack(tiles[i : i + 2]) for i in range(0, len(tiles), 2)])
    title = np.full((30, sheet.shape[1], 3), 255, np.uint8)
    text = f"{task}: labels on the left of each pair, predictions with their confidence on the right"
    cv2.putText(title, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    path = folder / "pictures" / f"{task}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, cv2.imencode(".png", np.vstack([title, sheet]))[1].tobytes())
    return path


def curves(folder: Path, training: Mapping[str, Sequence[Mapping[str, float]]]) -> Path:
    """mAP50 and losses over the epochs, a column for each task; returns the picture's path."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(training), 6), layout="constrained")
    axes = figure.subplots(2, len(training), squeeze=False)
    for column, (task, rows) in enumerate(training.items()):
        epochs = [row["epoch"] for row in rows]
        for key, name in (("metrics/mAP50(B)", "boxes"), ("metrics/mAP50(M)", "masks")):
            if key in rows[0]:
                axes[0, column].plot(epochs, [row[key] for row in rows], label=name)
        axes[0, column].set(title=f"{task}: mAP50 on held-out images", ylim=(0, 1))
        for key in rows[0]:
            if loss := re.fullmatch("train/(.*)_loss", key):
                axes[1, column].plot(epochs, [row[key] for row in rows], label=loss[1])
        axes[1, column].set(title="training losses", xlabel="epoch", ylim=(0, None))
        for axis in axes[:, column]:
            axis.legend()
            axis.grid(alpha=0.3)
    path = folder / "pictures" / "curves.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def _drawn(image: Path, labels: Path, masks: bool, predicted: bool) -> Any:
    """An image, enlarged, with the boxes or polygons of a label file; predictions end in their confidence."""
    picture: Any = cv2.imread(str(image))
    picture = cv2.resize(picture, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
    h, w = picture.shape[:2]
    rows, shapes = [], []
    for line in labels.read_text().splitlines() if labels.is_file() else []:
        label, *numbers = map(float, line.split())
        confidence = numbers.pop() if predicted else 1.0
        points = np.array(numbers).reshape(-1, 2)
        if len(points) == 2:  # a box: its centre and size
            points = points[0] + points[1] * [[-0.5], [0.5]]
        points = np.round(points * [w, h])
        rows.append([*points.min(0), *points.max(0), confidence, label])
        shapes.append(cv2.fillPoly(np.zeros((h, w), np.uint8), [points.astype(np.int32)], 1))
    found: dict[str, Any] = {"boxes": torch.tensor(rows).reshape(-1, 6)}
    if masks and shapes:
        found["masks"] = torch.tensor(np.array(shapes))
    results = Results(picture, str(image), dict(enumerate(CLASSES)), **found)
    return results.plot(conf=predicted, line_width=1, font_size=10)
