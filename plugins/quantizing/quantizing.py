"""A trained model as a file in 8 bits, with the layers that cost too much left in 32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .results import Quantized

IMAGES = 300
MAX_DROP = 0.01


def quantize(
    model: str | Path,
    data: str | Path,
    format: str,
    *,
    out: str | Path | None = None,
    max_drop: float | None = MAX_DROP,
    images: int = IMAGES,
    imgsz: int | None = None,
    seed: int = 0,
    force: bool = False,
    progress: Callable[[str], object] = lambda line: None,
) -> Quantized:
    """Write a trained detector or segmenter in 8 bits, as `yolo val` and `yolo predict` take it.

    Args:
        model: A trained `.pt`, stock or of this pack.
        data: A data YAML: training images calibrate, labelled validation images measure. Or a folder of images without
            labels, which calibrate; nothing is measured then, and `max_drop` must be None.
        format: `"onnx"` or `"openvino"`.
        out: The `.onnx` file, or the folder ending in `_openvino_model`; by default beside the checkpoint, as
            Ultralytics names it.
        max_drop: Layers are left in 32 bits, the costliest first, until mAP50-95, of boxes and masks, is at most this
            much lower, 0.01 being a point of a hundred. None: no layer is, and accuracy is not measured.
        images: So many images calibrate, at most.
        imgsz: Side of the square image, in pixels; by default the checkpoint's.
        seed: Of which images calibrate.
        force: Replace `out`.
        progress: Is given a line of text at each step.

    Raises:
        ValueError: a format that cannot be written, a file that is quantised or exported already, no images, or labels
            missing for `max_drop`.
        OSError: a file is missing, or `out` exists or cannot be written.
        RuntimeError: packages are missing; names the command that installs them.
    """
    raise NotImplementedError
