"""The models that `replace` is tried on, one of each sort: torchvision, timm, Ultralytics of every task, a Sequential.

Each case builds its model small, without weights and always the same, and says what a training step on it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from yolo_plugins import Match

FAMILIES = ("yolov8", "yolo11", "yolo12", "yolo26")
TASKS = {
    "": ("stages", "C2fGhost", {}),
    "-seg": ("neck", "GhostConv", {"where": "neck"}),
    "-pose": ("stages", "C2fDW", {}),
    "-obb": ("head", "DWConv", {"where": "head"}),
    "-cls": ("stages", "C2fShuffle", {}),
}
"""What is swapped in the Ultralytics models of a task, by which block, and how `replace` is told."""


@dataclass(frozen=True)
class Case:
    """A model to swap blocks in.

    `loss` is that of a training step on images (B, 3, H, W) of `size`. Detectors of torchvision (`detector`) take a
    list of images.
    """

    name: str
    build: Callable[[], Any]
    block: str
    options: dict[str, Any] = field(default_factory=dict)
    loss: Callable[[Any, Tensor], Tensor] = lambda model, images: mean_square(model(images))
    size: int = 64
    detector: bool = False


def cases() -> list[Case]:
    """All of them."""
    return [*torchvision_cases(), *timm_cases(), *ultralytics_cases(), Case("own Sequential", own_model, "GhostConv")]


def torchvision_cases() -> list[Case]:
    from torchvision import models

    found = models.detection
    light = Match(kernel=1)
    # All boxes are let through, and as many proposals: untrained models are sure of none.
    resized = {"min_size": 96, "max_size": 96}

    def detector(name: str, build: Any, block: str, match: Match | None = None, **options: Any) -> Case:
        plain = {"weights": None, "weights_backbone": None, "num_classes": 5, **options}
        swap = {"match": match} if match else {}
        return Case(name, lambda: build(**plain), block, swap, detection_loss, 96, detector=True)

    return [
        Case("torchvision ResNet-18", models.resnet18, "GhostConv"),
        Case("torchvision ResNet-50, layer4", models.resnet50, "GhostBottleneck", {"where": "layer4"}),
        detector(
            "torchvision Faster R-CNN, ResNet-50", found.fasterrcnn_resnet50_fpn, "GhostConv",
            box_score_thresh=0.0, box_detections_per_img=20, rpn_nms_thresh=1.0, rpn_post_nms_top_n_test=50, **resized,
        ),
        detector(
            "torchvision RetinaNet, ResNet-50", found.retinanet_resnet50_fpn, "DWConv",
            score_thresh=0.0, detections_per_img=20, **resized,
        ),
        detector(
            "torchvision SSDlite, 1×1 too", found.ssdlite320_mobilenet_v3_large, "GhostConv", light,
            score_thresh=0.0, detections_per_img=20,
        ),
        Case("torchvision DeepLabv3", partial(models.segmentation.deeplabv3_resnet50, weights_backbone=None), "DWConv"),
    ]  # fmt: skip


def timm_cases() -> list[Case]:
    import timm

    def case(name: str, block: str, what: str = "", **options: Any) -> Case:
        return Case(f"timm {name}{what}", lambda: timm.create_model(name), block, options)

    return [
        case("resnet18", "GhostConv"),
        case("efficientnet_b0", "GhostConv", ", 1×1 too", match=Match(kernel=1)),
        case("densenet121", "DWConv"),
        case("cspdarknet53", "GhostConv"),
        case("hrnet_w18_small", "DWConv"),
    ]


def ultralytics_cases() -> list[Case]:
    from yolo_plugins.models.building import build

    def case(family: str, task: str) -> Case:
        what, block, options = TASKS[task]
        name = f"{family}n{task}"
        # Norms need more than the few places of a smaller image's last map, and YOLO26 picks its 300 best.
        size = 96 if task == "-cls" else 160
        return Case(f"{name}, {what}", lambda: build(f"{name}.yaml"), block, options, ultralytics_loss, size)

    return [case(family, task) for family in FAMILIES for task in TASKS]


def own_model() -> nn.Module:
    """A classifier as a user may write it."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 4),
    )


def tensors(output: Any) -> Iterator[Tensor]:
    """Every tensor in a model's output, however nested."""
    if isinstance(output, Tensor):
        yield output
    elif output is not None:
        for part in output.values() if isinstance(output, dict) else output:
            yield from tensors(part)


def mean_square(output: Any) -> Tensor:
    """A loss that every output has a part in."""
    return torch.stack([t.float().pow(2).mean() for t in tensors(output) if t.requires_grad]).sum()


def detection_loss(model: nn.Module, images: Tensor) -> Tensor:
    """The sum of a torchvision detector's own losses, with a box in each image."""
    side = float(images.shape[-1])
    target = {"boxes": torch.tensor([[0.1, 0.1, 0.7, 0.7]]) * side, "labels": torch.tensor([1])}
    return torch.stack(list(model(list(images), [dict(target) for _ in images]).values())).sum()


def ultralytics_loss(model: Any, images: Tensor) -> Tensor:
    """An Ultralytics model's own loss, with an object in each image."""
    from ultralytics.cfg import get_cfg

    n, _, h, w = images.shape
    model.args = get_cfg()
    box = torch.tensor([[0.4, 0.4, 0.6, 0.6, 0.3]])[:, : 5 if model.task == "obb" else 4]
    batch = {
        "img": images,
        "cls": torch.zeros(n, dtype=torch.long) if model.task == "classify" else torch.zeros(n, 1),
        "batch_idx": torch.arange(n).float(),
        "bboxes": box.repeat(n, 1),
        "masks": torch.ones(n, h // 4, w // 4),
        "sem_masks": torch.zeros(n, h // 4, w // 4),
        "keypoints": torch.rand(n, 17, 3),
    }
    return model(batch)[0].sum()
