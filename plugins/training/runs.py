"""The one way to train and validate through Ultralytics: for a comparison, a benchmark, a transplant's last stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..models.building import yolo

PLAIN = {"plots": False}
"""What is passed where the caller says nothing else."""


def train(model: Any, data: str | Path, *, as_it_is: bool = False, **arguments: Any) -> Path:
    """Train a model with Ultralytics' trainer.

    Args:
        model: A YAML or checkpoint, as `models.building.yolo` takes it, or an Ultralytics model, trained itself.
        data: Data YAML, or for classification a folder of classes.
        as_it_is: Train the network that a checkpoint holds, where its YAML would build another: a pruned one, or one
            with blocks inside its rows.
        arguments: Of Ultralytics' `train`, such as `epochs`, `imgsz`, `seed`, `device`, `project` and `name`.

    Returns:
        The checkpoint of the best epoch, or of the last where none was kept as the best.

    Raises:
        Exception: whatever Ultralytics raises.
    """
    trained = _model(model)
    trained.add_callback("on_train_start", _channels_last_on_cpu)
    trainer = _keeping_the_network(trained) if as_it_is else None
    trained.train(trainer=trainer, data=str(data), **{**PLAIN, **arguments})
    best = Path(trained.trainer.best)
    return best if best.exists() else Path(trained.trainer.last)


def _keeping_the_network(model: Any) -> Any:
    """The trainer of a model's task, but for the network, which is the checkpoint's own when it goes on too."""
    base: Any = model._smart_load("trainer")

    class Keeping(base):  # type: ignore[misc]
        def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
            return weights if weights is not None else super().get_model(cfg, weights, verbose)

    return Keeping


def _channels_last_on_cpu(trainer: Any) -> None:
    """A third of the time less on x86, depthwise convolutions most of all; what is saved is laid out as ever."""
    import torch

    if trainer.device.type == "cpu":
        trainer.model.to(memory_format=torch.channels_last)


def validate(model: Any, data: str | Path, task: str | None = None, **arguments: Any) -> dict[str, float]:
    """Accuracy by Ultralytics' `val`, each figure from 0 to 1.

    Args:
        model: A checkpoint, an exported file, or an Ultralytics model.
        data: As for `train`.
        task: For exported files, whose task cannot be told.
        arguments: Of Ultralytics' `val`, such as `imgsz`, `batch`, `device` and `project`.

    Returns:
        `map` (mAP50-95) and `map50`, of masks for segmentation, which has the boxes' as `box_map` too, and `best_conf`,
        the confidence threshold at which F1, the mean of all classes, is highest; for classification top-1 as `map` and
        top-5 as `map50`.

    Raises:
        Exception: whatever Ultralytics raises.
    """
    validated = _model(model, task)
    metrics = validated.val(data=str(data), **{**PLAIN, **arguments})
    if validated.task == "classify":
        return {"map": float(metrics.top1), "map50": float(metrics.top5)}
    part = metrics.seg if validated.task == "segment" else metrics.box
    boxes = {"box_map": float(metrics.box.map)} if validated.task == "segment" else {}
    return {"map": float(part.map), "map50": float(part.map50), **boxes, **_best_threshold(part)}


def _best_threshold(part: Any) -> dict[str, float]:
    """Where the curve of F1 over confidence is highest, smoothed as Ultralytics does; nothing where there is none."""
    from ultralytics.utils.metrics import smooth

    if not len(part.f1_curve):
        return {}
    return {"best_conf": float(part.px[smooth(part.f1_curve.mean(0), 0.1).argmax()])}


def _model(model: Any, task: str | None = None) -> Any:
    return yolo(model, task) if isinstance(model, (str, Path)) else model
