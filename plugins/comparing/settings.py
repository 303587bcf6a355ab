"""What a comparison is asked to do; nothing heavy is imported, so that the command line can take its defaults here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .choosing import Budget

FORMATS = ("torch", "torchscript", "onnx", "openvino", "ncnn", "mnn")
"""Those that are compared by default."""

BITS = (8, 16)
"""Those that can be asked for."""


@dataclass(frozen=True)
class Settings:
    """How models are exported, measured and chosen.

    Attributes:
        data: Data YAML of a labelled set, or a folder of classes for classification; without it, no accuracy.
        formats: Names as in Ultralytics' export table, and `torch` and `dnn` (OpenCV's DNN on the ONNX file).
        quantize: Bits to compare beside 32, of 8 and 16: by Ultralytics' export, and 8 by this pack's too.
        imgsz: Side of the square image, in pixels.
        output: Folder of the report. What was measured is kept in it, and a second run goes on from there.
        threads: Of every runtime; by default all cores but one, at least one.
        rounds: How many times each model is timed, in turns with the others.
        budget: Limits that the report's choice has to keep.
        train: Ultralytics' training arguments; trains every YAML first.
        seeds: Train with each of them; the first one's weights are exported.
        ray: Spread the training runs over a Ray cluster, a local one by default.
        timeout: Seconds that any step of one model in one format may take, training apart.
        conf: Confidence from which boxes are final.
        force: Forget what `output` holds and measure everything anew.

    Raises:
        ValueError: a number out of its range, training or 8 bits without data, or a seed or precision given twice.
    """

    data: str | None = None
    formats: Sequence[str] = FORMATS
    quantize: Sequence[int] = ()
    imgsz: int = 640
    output: str = "comparison"
    threads: int | None = None
    rounds: int = 50
    budget: Budget | None = None
    train: Mapping[str, Any] | None = None
    seeds: Sequence[int] = (0,)
    ray: bool = False
    timeout: float = 1800
    conf: float = 0.25
    force: bool = False

    def __post_init__(self) -> None:
        fit(self.imgsz, 32, "the stride 32")
        if self.rounds < 1:
            raise ValueError(f"rounds={self.rounds} must be at least 1")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads={self.threads} must be at least 1")
        if not self.timeout > 0:
            raise ValueError(f"timeout={self.timeout} must be above 0 seconds")
        if not 0 < self.conf < 1:
            raise ValueError(f"conf={self.conf} must be between 0 and 1")
        if others := [bits for bits in self.quantize if bits not in BITS]:
            raise ValueError(f"quantize={others[0]}: there are {' and '.join(map(str, BITS))} bits, beside 32")
        if len(set(self.quantize)) != len(self.quantize):
            raise ValueError(f"quantize {' '.join(map(str, self.quantize))}: one is given twice")
        if 8 in self.quantize and not self.data:
            raise ValueError("8 bits are calibrated on images; give a data YAML with --data")
        if self.train is None:
            return
        if not self.data:
            raise ValueError("training needs --data")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds {', '.join(map(str, self.seeds))}: one is given twice")


def fit(imgsz: int, stride: int, whose: str) -> None:
    """Refuse an image size that is no multiple of a stride, with the nearest in a `ValueError`."""
    if imgsz < stride or imgsz % stride:
        near = max(stride, round(imgsz / stride) * stride)
        raise ValueError(f"imgsz={imgsz} is no multiple of {whose}; the nearest is {near}")
