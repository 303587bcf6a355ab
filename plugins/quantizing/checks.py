"""What is refused before any long work, each in a sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import patch_ultralytics

from ..models.building import load, quiet
from ..training.data_yaml import description
from .calibration import Calibration

TASKS = ("detect", "segment")


def checkpoint(path: Path) -> Path:
    """A trained `.pt` that is not quantised.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is an exported file, or was trained for 8 bits.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    if path.suffix != ".pt":
        state = "quantised" if _holds_8_bits(path) else "exported"
        raise ValueError(f"{path} is {state} already; give the .pt that it was made of")
    patch_ultralytics.apply()
    from ultralytics.nn import tasks

    try:
        with quiet():
            content = tasks.torch_safe_load(str(path))[0]
    except Exception:
        return path  # whatever it is, loading it says so
    if isinstance(content, dict) and content.get("modelopt"):
        raise ValueError(f"{path} is quantised already, by its training; `yolo export format=onnx` writes its 8 bits")
    return path


def _holds_8_bits(path: Path) -> bool:
    """Whether an exported ONNX or OpenVINO model rounds something."""
    for file, word in ((path, b"QuantizeLinear"), *((xml, b"FakeQuantize") for xml in path.glob("*.xml"))):
        if file.is_file() and word in file.read_bytes():
            return True
    return False


def target(checkpoint: Path, format: str, out: str | Path | None, force: bool) -> Path:
    """Where the result goes: by default where Ultralytics would put it.

    Raises:
        ValueError: a name that Ultralytics would not take for this format.
        OSError: it exists, or its folder is missing or closed.
    """
    suffix = {"onnx": ".onnx", "openvino": "_openvino_model"}[format]
    path = Path(out) if out else checkpoint.with_name(f"{checkpoint.stem}_int8{suffix}")
    if not path.name.endswith(suffix):
        raise ValueError(f"{path} must end in {suffix}, by which `yolo` knows what it is")
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists; --force replaces it, -o gives another name")
    if not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise OSError(f"{path.absolute().parent} is not a folder that can be written; give another with -o")
    return path


def image_size(path: Path, imgsz: int | None, data: Calibration, *, measured: bool) -> int:
    """Side of the model's input: as asked, else what it was trained at.

    Raises:
        ValueError: no labels where a loss is to be `measured`, no model inside, one for another task or other classes,
            or a size that its stride does not divide.
    """
    if measured and not data.labelled:
        raise ValueError("there are no labels to measure a loss by; give a data YAML, or --max-drop none")
    network, train_args = load(path)
    task = str(getattr(network, "task", None) or train_args.get("task"))
    if task not in TASKS:
        raise ValueError(f"{path} is for the task {task}; {' and '.join(TASKS)} can be quantised")
    if data.labelled and (classes := _classes(data.labelled)) != len(network.names):
        raise ValueError(f"{path} knows {len(network.names)} classes, but {data.labelled} has {classes}")
    size, stride = int(imgsz or train_args.get("imgsz") or 640), int(max(network.stride))
    if size < stride or size % stride:
        near = max(stride, round(size / stride) * stride)
        raise ValueError(f"imgsz={size} is no multiple of the model's stride {stride}; the nearest is {near}")
    return size


def _classes(data: str) -> int:
    content: dict[str, Any] = description(Path(data))
    return len(content.get("names") or range(int(content["nc"])))
