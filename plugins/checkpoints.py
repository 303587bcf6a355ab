"""Models from YAML files, and the `.pt` files of Ultralytics: built and written without training."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from .files import write


def build(model: str) -> Any:
    """The Ultralytics model of a YAML, without weights.

    Args:
        model: A model YAML, by bare name or path.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a YAML, or one that cannot be built.
    """
    from ultralytics.utils import LOGGER

    import patch_ultralytics

    patch_ultralytics.apply()
    from ultralytics import YOLO

    if not model.endswith((".yaml", ".yml")):
        raise ValueError(f"{model} is not a model YAML; give one such as yolov8n-ghostnet.yaml")
    level = LOGGER.level
    LOGGER.setLevel("ERROR")
    try:
        yolo = YOLO(model)
    finally:
        LOGGER.setLevel(level)
    network: Any = yolo.model
    network.task = yolo.task
    return network


def save(model: Any, path: Path) -> None:
    """Write a model as a checkpoint that `yolo` takes: whole and in full precision, or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    import torch
    from ultralytics import __version__

    checkpoint = {
        "model": model,
        "train_args": {"task": model.task},
        "date": datetime.now().astimezone().isoformat(),
        "version": __version__,
    }
    write(path, lambda file: torch.save(checkpoint, file))


def writable(path: Path) -> None:
    """Refuse a checkpoint's path before long work.

    Raises:
        ValueError: another ending than `.pt`.
        OSError: the folder is missing or closed.
    """
    if path.suffix != ".pt":
        raise ValueError(f"{path} must end in .pt")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise OSError(f"{path.parent} is not a folder that can be written; create it, or give another with -o")
