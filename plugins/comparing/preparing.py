"""A candidate before it is exported: counted, its weights saved, and what torch makes of the images kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..blocks.counting import parameters
from ..models.building import gflops, save, yolo
from ..training.norm_statistics import measured_norms
from .pipeline import Pipeline, final, named, read

SIDE = 320
"""Pixels of the longer side of what is drawn."""


def prepare(source: str, weights: str, reference: str, imgsz: int, images: list[str], conf: float) -> dict[str, Any]:
    """Load a candidate and tell what it is; its task, stride, classes and sizes alone where `imgsz` fits no stride.

    Args:
        source: What Ultralytics loads.
        weights: The `.pt` to write.
        reference: The `.npz` to write: inputs and torch's raw outputs. What torch finds is drawn beside it.
        imgsz: Side of the square image, in pixels.
        images: Paths of the images.
        conf: Confidence from which boxes are final.
    """
    torch.manual_seed(0)
    model = yolo(source)
    network = model.model
    stride = int(max(network.stride))
    facts = {"task": model.task, "nc": len(model.names), "stride": stride, "params": parameters(network)}
    if imgsz % stride:
        return facts
    facts["gflops"] = gflops(network, imgsz)
    if not source.endswith(".pt"):
        _settle(network, images, imgsz)
    save(network, Path(weights), half=True)
    pipeline = Pipeline(Path(weights), model.task, images, {"imgsz": imgsz, "conf": conf})
    inputs = [pipeline.prepared(photo) for photo in pipeline.photos]
    arrays = {f"input{i}": x for i, x in enumerate(inputs)} | named(pipeline.run(x) for x in inputs)
    with open(reference, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    results = [pipeline.end_to_end(photo) for photo in pipeline.photos]
    for i, result in enumerate(results):
        _draw(result, Path(reference).with_name(f"picture{i}.jpg"))
    return {**facts, "boxes": [final(result) for result in results]}


def _settle(network: Any, images: list[str], imgsz: int) -> None:
    """Let a network without weights take its batch norms' statistics from the images."""
    x = torch.from_numpy(cv2.dnn.blobFromImages(read(images), 1 / 255, (imgsz, imgsz), swapRB=True))
    with torch.no_grad(), measured_norms(network):
        network(torch.cat([x, x.flip(3)]))


def _draw(result: Any, path: Path) -> None:
    """What was found on one image, at the size at which it is looked at: labels stay sharp."""
    scale = SIDE / max(result.orig_shape)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    photo = cv2.resize(result.orig_img, None, fx=scale, fy=scale, interpolation=interpolation)
    parts = {part: getattr(result, part) for part in ("boxes", "obb", "masks", "probs")}
    found = {part: what.data for part, what in parts.items() if what is not None}
    for part in found.keys() & {"boxes", "obb"}:
        found[part] = torch.cat([found[part][:, :4] * scale, found[part][:, 4:]], 1)
    cv2.imwrite(str(path), type(result)(photo, result.path, result.names, **found).plot(line_width=1))
