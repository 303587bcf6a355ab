"""What the demo leaves to look at: labels beside predictions, and training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .dataset import CLASSES

COLOURS = ((60, 60, 230), (230, 140, 40), (50, 180, 60), (200, 60, 190))
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
    return _save(folder / "pictures" / f"{task}.png", np.vstack([title, sheet]))


def curves(folder: Path, training: Mapping[str, Sequence[Mapping[str, float]]]) -> Path:
    """mAP50 and losses over the epochs, a column for each task; returns the picture's path."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        2, len(training), figsize=(5 * len(training), 6), squeeze=False, layout="constrained"
    )
    for column, (task, rows) in enumerate(training.items()):
        epochs = [row["epoch"] for row in rows]
        for key, name in (("metrics/mAP50(B)", "boxes"), ("metrics/mAP50(M)", "masks")):
            if key in rows[0]:
                axes[0, column].plot(epochs, [row[key] for row in rows], label=name)
        axes[0, column].set(title=f"{task}: mAP50 on held-out images", ylim=(0, 1))
        for key in (k for k in rows[0] if k.startswith("train/") and k.endswith("_loss")):
            axes[1, column].plot(
                epochs, [row[key] for row in rows], label=key.removeprefix("train/").removesuffix("_loss")
            )
        axes[1, column].set(title="training losses", xlabel="epoch", ylim=(0, None))
        for axis in axes[:, column]:
            axis.legend()
            axis.grid(alpha=0.3)
    path = folder / "pictures" / "curves.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path


def _drawn(image: Path, labels: Path, masks: bool, predicted: bool) -> Any:
    """An image, enlarged, with the boxes or polygons of a label file; predictions end in their confidence."""
    picture: Any = cv2.imread(str(image))
    picture = cv2.resize(picture, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
    h, w = picture.shape[:2]
    for line in labels.read_text().splitlines() if labels.is_file() else []:
        label, *numbers = line.split()
        values = [float(v) for v in numbers]
        confidence = values.pop() if predicted else None
        if len(values) == 4:
            (x, y), (bw, bh) = values[:2], values[2:]
            points = np.array([[x - bw / 2, y - bh / 2], [x + bw / 2, y + bh / 2]])
        else:
            points = np.array(values).reshape(-1, 2)
        points = np.round(points * [w, h]).astype(np.int32)
        colour = COLOURS[int(label)]
        if masks and len(points) > 2:
            filled = cv2.fillPoly(picture.copy(), [points], colour)
            picture = cv2.addWeighted(picture, 0.55, filled, 0.45, 0)
            cv2.polylines(picture, [points], True, colour, 1, cv2.LINE_AA)
        (x1, y1), (x2, y2) = points.min(0).tolist(), points.max(0).tolist()
        if not masks:
            cv2.rectangle(picture, (x1, y1), (x2, y2), colour, 1, cv2.LINE_AA)
        name = CLASSES[int(label)] + (f" {confidence:.2f}" if confidence is not None else "")
        cv2.putText(
            picture, name, (x1 + 2, max(10, y1 - 3)), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 255), 1, cv2.LINE_AA
        )
    return picture


def _save(path: Path, picture: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture):
        raise OSError(f"cannot write {path}")
    return path
