"""Ultralytics models as a whole: built from a YAML, loaded from a checkpoint, counted, and written to one."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

import patch_ultralytics

from ..files import write
from ..rows.description import ModelYAMLError, check, image_channels, read
from ..rows.errors import row_problem
from ..rows.names import names
from ..rows.yaml_files import locate
from .activation_key import refuse_code
from .dry_run import offline


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, Ultralytics says nothing below an error."""
    from ultralytics.utils import LOGGER

    level = LOGGER.level
    LOGGER.setLevel("ERROR")
    try:
        yield
    finally:
        LOGGER.setLevel(level)


def yolo(source: str | Path, task: str | None = None) -> Any:
    """`ultralytics.YOLO`, or `RTDETR` for a YAML that ends in its decoder, with the pack's rows known.

    Args:
        source: A model YAML (bare name or path), a checkpoint or an exported file.
        task: For exported files, whose task cannot be told.

    Raises:
        FileNotFoundError: no such YAML; names near ones.
        ModelYAMLError: a file that holds no model, or whose `activation:` is code.
    """
    patch_ultralytics.apply()
    from ultralytics import RTDETR, YOLO

    if Path(source).suffix in (".yaml", ".yml"):
        file = locate(str(source))
        refuse_code(read(file), str(source))
        if b"RTDETRDecoder" in file.read_bytes():
            return RTDETR(str(source))
    return YOLO(str(source), task=task)


def build(model: str) -> Any:
    """The network of a model YAML, without weights; it knows its `task`.

    Args:
        model: A model YAML, by bare name or path.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a YAML, or one that cannot be built.
    """
    if not model.endswith((".yaml", ".yml")):
        raise ValueError(f"{model} is not a model YAML; give one such as yolov8n-ghostnet.yaml")
    file = locate(model)
    description = read(file)
    return build_text(file.read_text(encoding="utf-8"), description, model)


def build_text(text: str, description: dict[str, Any], model: str) -> Any:
    """The network of a model YAML that need not be a file yet, without weights; it knows its `task`.

    Args:
        text: The YAML.
        description: What it says.
        model: Its name or path, whose letter is the scale.

    Raises:
        ValueError: one that cannot be built.
    """
    patch_ultralytics.apply()
    from ultralytics.nn import tasks

    check(description, model, names(tasks))
    refuse_code(description, model)
    weightless = offline(description)
    if weightless != description:
        text = yaml.safe_dump(weightless, sort_keys=False)
    try:
        # Under its full name: Ultralytics drops a scale letter from anywhere in a path, a folder's (`5s/`) first.
        with from_text(text, Path(model).name) as built:
            pass
    except ModelYAMLError as error:  # which names a file that is gone
        raise ModelYAMLError(model, error.problem) from error.__cause__
    except (ValueError, OSError):
        raise
    except Exception as error:  # of a stock model, Ultralytics' own
        raise ModelYAMLError(model, row_problem(error, description, tasks)) from error
    built.model.task, built.model.yaml["yaml_file"] = built.task, model
    return built.model


@contextmanager
def from_text(text: str, name: str) -> Iterator[Any]:
    """The Ultralytics model of a YAML's text, under the file name that gives it scale and kind; quiet inside."""
    # A prefix without digits: Ultralytics looks for a scale letter in the whole path.
    with tempfile.TemporaryDirectory(prefix="yolo-plugins-") as folder, quiet():
        file = Path(folder) / name
        file.write_text(text, encoding="utf-8")
        yield yolo(file)


def load(checkpoint: str | Path) -> tuple[Any, dict[str, Any]]:
    """The network in a checkpoint, in float32, and the arguments that it was trained with.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: there is no network with its YAML inside, or one fused for inference.
    """
    patch_ultralytics.apply()
    from ultralytics.nn import tasks as any_release

    tasks: Any = any_release
    if not Path(checkpoint).is_file():
        raise FileNotFoundError(f"{checkpoint} does not exist")
    if "'" in str(checkpoint):
        raise ValueError(f"{checkpoint}: Ultralytics drops every ' from a path and finds no file; rename the folder")
    loading = getattr(tasks, "load_checkpoint", None) or tasks.attempt_load_one_weight
    try:
        with quiet():
            network, data = loading(str(checkpoint))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{checkpoint} is not a checkpoint with a model inside: {reason}") from error
    if not isinstance(getattr(network, "yaml", None), dict):
        raise ValueError(f"{checkpoint} holds a {type(network).__name__}, not a model of Ultralytics with its YAML")
    if network.is_fused():
        raise ValueError(f"{checkpoint} is fused for inference; give the unfused one")
    return network, dict(data.get("train_args") or {})


def save(network: Any, path: Path, train_args: Mapping[str, Any] | None = None, *, half: bool = False) -> None:
    """Write a network as a checkpoint that `yolo` takes, whole or not at all.

    Args:
        network: A network that knows its `task`.
        path: The `.pt` to write.
        train_args: What it was trained with.
        half: In 16 bits, as Ultralytics' own final checkpoints are.

    Raises:
        OSError: the folder cannot be written.
    """
    from ultralytics import __version__

    if half:
        network = copy.deepcopy(network).half()
        for parameter in network.parameters():
            parameter.requires_grad_(False)
    checkpoint = {
        "epoch": -1,
        "model": network,
        "ema": None,
        "optimizer": None,
        "train_args": {"task": network.task, **(train_args or {})},
        "date": datetime.now().astimezone().isoformat(),
        "version": __version__,
    }
    save_tensors(checkpoint, path)


def save_tensors(data: Any, path: Path) -> None:
    """`torch.save`, whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    import torch

    def to(file: Path) -> None:
        with open(file, "wb") as stream:  # torch refuses some names of hidden files
            torch.save(data, stream)

    write(path, to)


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


def gflops(network: Any, imgsz: int) -> float:
    """2 × multiply-adds of one square image, before fusing, as Ultralytics counts; the network is left as it is."""
    import thop
    import torch

    image = torch.zeros(1, image_channels(network.yaml), imgsz, imgsz)
    return float(thop.profile(copy.deepcopy(network).eval(), inputs=[image], verbose=False)[0] * 2 / 1e9)
