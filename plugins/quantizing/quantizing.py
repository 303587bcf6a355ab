"""A trained model as a file in 8 bits, with the layers that cost too much left in 32."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..files import unfinished
from ..models.building import quiet, yolo
from ..training.runs import validate
from . import checks
from .backends import BACKENDS, Backend, Means
from .calibration import Calibration, choose, prepared
from .equalizing import equalize
from .formats import require
from .results import Kept, Quantized, loss
from .rounding import costs, quantizable, shifts

IMAGES = 300
MAX_DROP = 0.01
BATCH = 8
MEASURED = 32
"""Images on which ranges of channels and shifts of maps are measured, in torch; the files' own take all."""
RANKED = 8
"""Images on which layers are ranked: a pass of the model each."""

Progress = Callable[[str], object]


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
    vnni: bool = True,
    force: bool = False,
    progress: Progress = lambda line: None,
) -> Quantized:
    """Write a trained detector or segmenter in 8 bits, as `yolo val` and `yolo predict` take it.

    Args:
        model: A trained `.pt`, stock or of this pack.
        data: A data YAML: training images calibrate, labelled validation images measure. Or a folder of images without
            labels, which calibrate; `max_drop` must be None then.
        format: `"onnx"` or `"openvino"`.
        out: The `.onnx` file or `_openvino_model` folder; by default as Ultralytics names it, beside the checkpoint.
        max_drop: Layers are left in 32 bits, the costliest first, until mAP50-95, of boxes and masks, is at most this
            much lower, 0.01 being a point of a hundred. None: no layer is, and accuracy is not measured.
        images: So many calibrate, at most.
        imgsz: Side of the square image, in pixels; by default the checkpoint's.
        seed: Of which images calibrate.
        vnni: Whether the processor that runs it adds products of 8 bits in 32; without, filters get 7 bits.
        force: Replace `out`.
        progress: Is given a line of text at each step.

    Raises:
        ValueError: another format, a file that is quantised already, no images, or no labels for `max_drop`.
        OSError: a file is missing, or `out` exists or cannot be written.
        RuntimeError: packages are missing.
    """
    require(format)
    checkpoint = checks.checkpoint(Path(model))
    target = checks.target(checkpoint, format, out, force)
    calibration = choose(data, images, seed)
    size = checks.image_size(checkpoint, imgsz, calibration, measured=max_drop is not None)
    torch.manual_seed(seed)
    folders = tempfile.TemporaryDirectory(prefix=unfinished("quantizing", target.parent), dir=target.parent)
    with folders as folder, quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer's, at every export
        file, result = _Job(checkpoint, format, Path(folder), size, calibration, vnni, progress).run(target, max_drop)
        _put(file, target)
    return result


class _Job:
    """One quantisation; `folder` is its own, and holds all that is written until it is done."""

    def __init__(
        self, checkpoint: Path, format: str, folder: Path, size: int, data: Calibration, vnni: bool, progress: Progress
    ) -> None:
        self.folder, self.size, self.data, self.progress = folder, size, data, progress
        wrapped = yolo(checkpoint)
        self.network = wrapped.model.eval().fuse(verbose=False).requires_grad_(False)
        self.layers, self.task = quantizable(self.network), wrapped.task
        self.batches = _batches(data.images[:MEASURED], size)
        pairs = equalize(self.network, self.batches)
        progress(f"{len(data.images)} images calibrate; channels made alike between {len(pairs)} pairs of convolutions")
        self.network.pt_path = str(folder / checkpoint.name)
        self.exported = Path(wrapped.export(format=format, imgsz=size, device="cpu"))
        file = self.exported if self.exported.is_file() else next(self.exported.glob("*.xml"))
        self.backend: Backend = BACKENDS[format](file, self.layers, f"model.{len(self.network.model) - 1}")
        self.means = Means(data.images, size, shifts(self.network, self.layers, self.batches), vnni)

    def run(self, target: Path, max_drop: float | None) -> tuple[Path, Quantized]:
        """The file, not yet in its place, and what is to be said about it."""
        file, count = self.written([]), len(self.layers)
        if max_drop is None:
            self.progress(f"{count} convolutions in 8 bits; accuracy is not measured")
            return file, Quantized(target, count)
        before, after, kept = self.accuracy(self.exported), self.accuracy(file), list[Kept]()
        for bits, accuracy in ((32, before), (8, after)):
            self.progress(f"{bits} bits: {_words(accuracy)}")
        if loss(before, after) > max_drop:
            self.progress(f"ranking {count} convolutions by what they cost")
            for layer in self.ranked():
                kept.append(layer)
                file = self.written(kept)
                after = self.accuracy(file)
                self.progress(f"{layer.layer} left in 32 bits ({layer.error:.2%} of error): {_words(after)}")
                if loss(before, after) <= max_drop:
                    break
        return file, Quantized(target, count, kept, before, after)

    def written(self, kept: Sequence[Kept]) -> Path:
        file = self.folder / f"quantized{self.backend.extension}"
        self.backend.write(file, [layer.layer for layer in kept], self.means)
        return file

    def accuracy(self, file: Path) -> dict[str, float]:
        where = {"project": str(self.folder / "val"), "exist_ok": True, "device": "cpu", "verbose": False}
        return validate(file, str(self.data.labelled), self.task, imgsz=self.size, batch=1, **where)

    def ranked(self) -> list[Kept]:
        def tell(done: int, of: int) -> None:
            if done % 20 == 0:
                self.progress(f"  {done}/{of}")

        return costs(self.network, self.layers, _batches(self.data.images[:RANKED], self.size), tell)


def _batches(images: Sequence[Path], size: int) -> list[Tensor]:
    ready = [torch.from_numpy(prepared(path, size)) for path in images]
    return [torch.cat(ready[i : i + BATCH]) for i in range(0, len(ready), BATCH)]


def _words(accuracy: dict[str, float]) -> str:
    of = {"map": "mAP50-95 of masks", "box_map": "of boxes"} if "box_map" in accuracy else {"map": "mAP50-95"}
    return ", ".join(f"{name} {accuracy[key]:.4f}" for key, name in of.items())


def _put(made: Path, target: Path) -> None:
    """Give a file or folder its name, in place of what has it."""
    if target.is_dir():
        old = Path(tempfile.mkdtemp(prefix=unfinished("replaced", target.parent), dir=target.parent)) / target.name
        os.replace(target, old)
        os.replace(made, target)
        shutil.rmtree(old.parent)
    else:
        os.replace(made, target)
