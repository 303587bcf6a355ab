"""A trained Ultralytics checkpoint to a light one: rows swapped by a recipe, weights transplanted, saved as a `.pt`."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import __version__
from .dry_run import build
from .images import find_images, image_batches
from .places import is_activation
from .recipes import recipe
from .transplanting import (
    Distance,
    Progress,
    Schedule,
    TransplantReport,
    check_shape,
    recorded,
    save,
    transplant,
    unexplained,
)
from .yaml_files import stock_file
from .yaml_swapping import apply_edits, edit_rows, reasons


def transplant_checkpoint(
    checkpoint: str | Path,
    images: str | Path,
    output: str | Path,
    *,
    swap: str | None = None,
    model: str | None = None,
    imgsz: int | None = None,
    batch: int = 8,
    nc: int | None = None,
    vertical_flips: bool = False,
    keep_activations: bool = False,
    schedule: Schedule | None = None,
    progress: Progress | None = None,
) -> tuple[TransplantReport, tuple[int, int]]:
    """Swap a trained checkpoint's blocks and teach the new ones what the old ones did, from unlabelled images.

    Args:
        checkpoint: The trained `.pt`; it is only read.
        images: A folder of images like those that it was trained on.
        output: The `.pt` to write, for `yolo val`, `yolo train` and the rest.
        swap: A recipe's name or file; or
        model: a model YAML whose rows are aligned with the checkpoint's.
        imgsz: Longer side of the images; by default what the checkpoint was trained at.
        batch: Images a step.
        nc: Number of classes of the result, where it is to be another; the head is then begun anew as Ultralytics does.
        vertical_flips: Mirror top to bottom too, for images without an up and down.
        keep_activations: Leave the blocks the activations that they have by themselves, not the teacher's.
        schedule: Steps and learning rates.
        progress: As for `transplant`.

    Returns:
        The report, and the parameters before and after.

    Raises:
        ValueError: not a checkpoint with a model inside, a fused one, rows that do not fit, no images.
        OSError: a file or folder that cannot be read or written.
    """
    import patch_ultralytics

    patch_ultralytics.apply()
    output, schedule = Path(output), schedule or Schedule()
    if output.exists() and output.resolve() == Path(checkpoint).resolve():
        raise ValueError(f"{output} is the teacher itself, which is kept; give another name")
    teacher, train_args = load_teacher(checkpoint)
    files = find_images(images)
    student = _student(teacher, str(checkpoint), swap, model, keep_activations)
    size = imgsz or int(train_args.get("imgsz") or 640)
    report = transplant(
        teacher,
        student,
        image_batches(files, size, batch, vertical_flips=vertical_flips, seed=schedule.seed),
        schedule=schedule,
        outputs=_predictions(teacher),
        state=output.with_name(f".{output.name}.partial"),
        progress=progress,
    )
    counts = (_parameters(teacher), _parameters(student))
    if nc and nc != student.yaml["nc"]:
        student = _reheaded(student, nc)
    save(_checkpoint(student, train_args), output)
    return report, counts


def load_teacher(checkpoint: str | Path) -> tuple[Any, dict[str, Any]]:
    """The model in a checkpoint, in float32, and the arguments that it was trained with.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: there is no model inside, or one fused for inference.
    """
    from ultralytics.nn.tasks import load_checkpoint

    if not Path(checkpoint).is_file():
        raise FileNotFoundError(f"{checkpoint} does not exist")
    try:
        model, data = load_checkpoint(str(checkpoint))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{checkpoint} is not a checkpoint with a model inside: {reason}") from error
    if not isinstance(getattr(model, "yaml", None), dict):
        raise ValueError(f"{checkpoint} holds a {type(model).__name__}, not a model of Ultralytics with its YAML")
    if model.is_fused():
        raise ValueError(f"{checkpoint} is fused for inference; give the unfused one")
    return model, dict(data.get("train_args") or {})


def _student(teacher: Any, name: str, swap: str | None, model: str | None, keep_activations: bool) -> Any:
    """The untrained light model: the teacher's YAML edited by a recipe, or the YAML given, at the teacher's scale."""
    if (swap is None) == (model is None):
        raise ValueError("give either a recipe to swap by, or the YAML of an aligned light model")
    cfg = copy.deepcopy(teacher.yaml)
    if swap is not None:
        file = Path(str(cfg.get("yaml_file", name)))
        chosen = recipe(swap)
        keep_activations |= chosen.own_activations
        edits, _ = edit_rows(one_scale(cfg), file.with_suffix(".yaml").name, chosen)
        if not any(edit.block for edit in edits):
            raise ValueError(f"{name}: no row can be swapped by {swap}: {reasons(cfg, edits)}")
        apply_edits(cfg, edits)
    else:
        assert model is not None
        cfg = _aligned(cfg, model)
        _check_rows(teacher, cfg, model)
    if not keep_activations and not cfg.get("activation"):
        act = next((m for m in teacher.modules() if is_activation(m)), nn.SiLU())
        cfg["activation"] = f"torch.nn.{type(act).__name__}()"
    cfg["legacy"] = getattr(teacher.model[-1], "legacy", True)
    student = type(teacher)(cfg, ch=cfg.get("channels", cfg.get("ch", 3)), nc=cfg["nc"], verbose=False).float()
    for attribute in ("names", "args", "task", "kpt_shape", "kpt_names"):
        if hasattr(teacher, attribute):
            setattr(student, attribute, copy.deepcopy(getattr(teacher, attribute)))
    return student


def _aligned(cfg: dict[str, Any], model: str) -> dict[str, Any]:
    """A light YAML as given, at the teacher's scale and with its classes.

    Raises:
        ValueError: it has other rows than the teacher.
    """
    import yaml

    from .model_yamls import find

    file = find(model) or stock_file(model)
    light = yaml.safe_load(file.read_text(encoding="utf-8"))
    rows, theirs = (d["backbone"] + d["head"] for d in (light, cfg))
    for i, (ours, old) in enumerate(zip(rows, theirs, strict=False)):
        if ours[0] != old[0]:
            raise ValueError(
                f"{file.name}: row {i} is from {ours[0]}, the teacher's from {old[0]}; rows must be aligned"
            )
    if len(rows) != len(theirs):
        raise ValueError(f"{file.name} has {len(rows)} rows, the teacher {len(theirs)}; rows must be aligned")
    return {**light, "scale": cfg.get("scale", ""), "nc": cfg["nc"], "yaml_file": model}


def _check_rows(teacher: Any, cfg: dict[str, Any], file: str) -> None:
    """Refuse a light YAML's first row that makes another shape than the teacher's of the same input.

    Raises:
        ValueError: the row, with both shapes.
    """
    rows = dict(build(cfg, cfg.get("channels", 3)).eval().named_children())
    theirs = {name: teacher.model[int(name)] for name in list(rows)[:-1]}
    with recorded(theirs, list(theirs)) as record, torch.no_grad():
        teacher.eval()(torch.zeros(1, cfg.get("channels", 3), 128, 128))
        for name, old in theirs.items():
            given, target = record[name]
            on_meta = [[t.to("meta") for t in x] if isinstance(x, list) else x.to("meta") for x in given]
            check_shape(f"{file}: row {name}", old, rows[name], tuple(on_meta), target)


def one_scale(cfg: dict[str, Any]) -> dict[str, Any]:
    """A model's description with the scale that it was built at alone, or the first."""
    if not cfg.get("scales"):
        return cfg
    scale = cfg.get("scale") or next(iter(cfg["scales"]))
    return {**cfg, "scales": {scale: cfg["scales"][scale]}}


def _predictions(model: Any) -> dict[str, Distance]:
    """The last layers of an Ultralytics head — what has a bias — and how far each is from the teacher's.

    Classes by cross-entropy with the teacher's probabilities, boxes where the teacher sees something, all else, such
    as masks and keypoints, by its variance.
    """
    head = len(model.model) - 1
    names = [
        f"model.{head}.{name}"
        for name, m in model.model[-1].named_modules()
        if isinstance(m, nn.Conv2d | nn.Linear) and m.bias is not None
    ]
    distances: dict[str, Distance] = {}
    for name in names:
        other = name.replace("cv2.", "cv3.")
        if "cv3." in name and name.replace("cv3.", "cv2.") in names:
            distances[name] = _class_distance
        elif "cv2." in name and other in names:
            distances[name] = partial(_box_distance, classes=other)
        else:
            distances[name] = lambda output, target, _: unexplained(output, target)
    return distances


def _class_distance(output: Tensor, target: Tensor, _: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy, at a weight that sets the few cells with objects off against the many without."""
    return 20 * functional.binary_cross_entropy_with_logits(output, target.sigmoid())


def _box_distance(output: Tensor, target: Tensor, watched: Mapping[str, Tensor], classes: str) -> Tensor:
    """Divergence of the four sides' distributions (squared error for a head without), weighted by confidence."""
    confidence = watched[classes].sigmoid().amax(1, keepdim=True)
    b, c, h, w = target.shape
    if c > 4:
        ours = output.view(b, 4, c // 4, h, w).log_softmax(2)
        theirs = target.view(b, 4, c // 4, h, w).log_softmax(2)
        error = (theirs.exp() * (theirs - ours)).sum(2).mean(1, keepdim=True)
    else:
        error = ((output - target) ** 2).mean(1, keepdim=True)
    return (error * confidence).sum() / confidence.sum()


def _reheaded(student: Any, nc: int) -> Any:
    from ultralytics.utils import LOGGER

    cfg = {**copy.deepcopy(student.yaml), "nc": nc}
    other = type(student)(cfg, ch=cfg.get("channels", cfg.get("ch", 3)), nc=nc, verbose=False)
    LOGGER.info(f"head: {student.yaml['nc']} classes → {nc}; its last layers begin anew")
    other.load(student)
    other.args, other.task = student.args, getattr(student, "task", None)
    return other.eval()


def _checkpoint(model: Any, train_args: dict[str, Any]) -> dict[str, Any]:
    """What Ultralytics' own checkpoints hold."""
    half = copy.deepcopy(model).half()
    for parameter in half.parameters():
        parameter.requires_grad_(False)
    return {
        "epoch": -1,
        "model": half,
        "ema": None,
        "optimizer": None,
        "train_args": train_args,
        "date": datetime.datetime.now().isoformat(),
        "yolo_plugins": __version__,
    }


def _parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
