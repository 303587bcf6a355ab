"""Run an exported ONNX file beside the checkpoint it was made of.

Usage: python -m yolo_plugins.demo.check_onnx best.pt images imgsz

Prints the runtime, the largest difference of the raw outputs, and how many of torch's boxes the file finds too.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def main(weights: str, images: str, imgsz: int) -> None:
    """Compare on all images of a folder."""
    import onnxruntime
    import torch
    from ultralytics import YOLO

    exported = str(Path(weights).with_suffix(".onnx"))
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    model: Any = YOLO(weights)
    file: Any = YOLO(exported, task=model.task)
    network = copy.deepcopy(model.model).fuse(verbose=False).eval()
    largest, same, total = 0.0, 0, 0
    for path in sorted(Path(images).glob("*.jpg")):
        image: Any = cv2.imread(str(path))
        blob = cv2.dnn.blobFromImage(image, 1 / 255, (imgsz, imgsz), swapRB=True)
        with torch.no_grad():
            raw = network(torch.from_numpy(blob))[0]
        raw = raw[0] if isinstance(raw, tuple) else raw
        out = session.run(None, {session.get_inputs()[0].name: blob})[0]
        largest = max(largest, float(np.abs(out - raw.numpy()).max()))
        theirs, ours = (m(image, imgsz=imgsz, verbose=False)[0].boxes.data.numpy() for m in (model, file))
        total += len(theirs)
        same += sum(any(_same(box, other) for other in ours) for box in theirs)
    print(f"ONNX Runtime {onnxruntime.__version__}\t{largest}\t{same}/{total}")


def _same(box: Any, other: Any) -> bool:
    """Whether two boxes (x1, y1, x2, y2, confidence, class) are within a pixel and of one class."""
    return bool(np.abs(box[:4] - other[:4]).max() < 1 and box[5] == other[5])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
