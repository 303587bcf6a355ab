"""A model's file in its runtime: the network alone, and between the steps that Ultralytics' predict does around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .runtimes import Array, Network, ordered


@dataclass
class Pipeline:
    """One file of a task and the images that it is run on; loaded when something first needs them.

    `options` are those of Ultralytics' predict, such as `imgsz`. `network` is the file in a runtime of our own; without
    it, Ultralytics' backend runs it.
    """

    path: Path
    task: str
    images: Sequence[str]
    options: dict[str, Any]
    network: Network | None = None

    @cached_property
    def photos(self) -> list[Array]:
        return read(self.images)

    @cached_property
    def predictor(self) -> Any:
        """Ultralytics' predictor, which sets itself up on the first image."""
        from ..models.building import yolo

        model = yolo(self.path, self.task)
        model.predict(self.photos[0], rect=False, verbose=False, save=False, device="cpu", **self.options)
        return model.predictor

    @contextmanager
    def threshold(self, conf: float | None) -> Iterator[None]:
        """Inside, boxes are final from another confidence on."""
        arguments = self.predictor.args
        kept = arguments.conf
        arguments.conf = kept if conf is None else conf
        try:
            yield
        finally:
            arguments.conf = kept

    def prepared(self, photo: Array) -> Array:
        """A photo (H, W, 3) as the network takes it: (1, 3, imgsz, imgsz)."""
        return np.ascontiguousarray(self.predictor.preprocess([photo]).numpy())

    def run(self, x: Array) -> list[Array]:
        """The network's outputs in the order of exported files: boxes (B, rows, anchors), then prototypes."""
        if self.network is not None:
            return ordered(self.network(x))
        import torch

        with torch.inference_mode():
            y = self.predictor.model(torch.from_numpy(x))
        first, rest = (y[0], y[1:]) if isinstance(y, (tuple, list)) else (y, ())
        tensors = list(first) if isinstance(first, (tuple, list)) else [first]
        if self.task == "segment" and len(tensors) == 1:
            prototypes = rest[0]
            tensors.append(prototypes[-1] if isinstance(prototypes, (tuple, list)) else prototypes)
        return [np.array(tensor.cpu().numpy()) for tensor in tensors]

    def end_to_end(self, photo: Array) -> Any:
        """Ultralytics' result for a photo, by its steps before and after the network."""
        import torch

        with torch.inference_mode():
            x = self.predictor.preprocess([photo])
            if self.network is None:
                y = self.predictor.model(x)
            else:
                outputs = [torch.from_numpy(np.array(part)) for part in ordered(self.network(x.numpy()))]
                y = outputs if len(outputs) > 1 else outputs[0]
            return self.predictor.postprocess(y, x, [photo])[0]


def read(images: Sequence[str]) -> list[Array]:
    """Images as (H, W, 3) BGR.

    Raises:
        ValueError: one cannot be read.
    """
    import cv2

    photos = []
    for path in images:
        photo = cv2.imread(path)
        if photo is None:
            raise ValueError(f"{path} cannot be read as an image")
        photos.append(np.asarray(photo))
    return photos


def named(outputs: Iterable[list[Array]]) -> dict[str, Array]:
    """The outputs of several inputs, each as output<input>_<number>."""
    return {f"output{i}_{j}": y for i, ys in enumerate(outputs) for j, y in enumerate(ys)}


def final(result: Any) -> list[Any]:
    """Rows (n, 6) of x1, y1, x2, y2, confidence, class; for classification the scores of the classes."""
    import torch

    if result.probs is not None:
        return list(result.probs.data.tolist())
    boxes = result.boxes if result.boxes is not None else result.obb
    return list(torch.cat([boxes.xyxy, boxes.conf[:, None], boxes.cls[:, None]], 1).tolist())
