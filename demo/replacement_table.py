"""What `replace` finds and saves in models of torchvision, timm and Ultralytics, as a Markdown table.

    python -m yolo_plugins.demo.replacement_table

Needs torchvision and timm. Multiply-adds are of one image of 224×224, for the detectors as they resize it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from yolo_plugins import Match, replace

ANY_KERNEL = Match(kernel=1)


def cases() -> list[tuple[str, Callable[[], Any], str, dict[str, Any]]]:
    import timm
    from torchvision import models
    from ultralytics import YOLO

    plain = {"weights": None, "weights_backbone": None}
    image = {"inputs": [torch.rand(3, 224, 224)]}
    found = models.detection

    def yolo(name: str) -> Callable[[], Any]:
        return lambda: YOLO(name).model

    return [
        ("torchvision ResNet-18", lambda: models.resnet18(), "GhostConv", {}),
        ("torchvision ResNet-50, layer4", lambda: models.resnet50(), "GhostBottleneck", {"where": "layer4"}),
        ("torchvision Faster R-CNN, ResNet-50", lambda: found.fasterrcnn_resnet50_fpn(**plain), "GhostConv", image),
        ("torchvision RetinaNet, ResNet-50", lambda: found.retinanet_resnet50_fpn(**plain), "DWConv", image),
        (
            "torchvision SSDlite, 1×1 too",
            lambda: found.ssdlite320_mobilenet_v3_large(**plain),
            "GhostConv",
            {**image, "match": ANY_KERNEL},
        ),
        ("torchvision DeepLabv3", lambda: models.segmentation.deeplabv3_resnet50(**plain), "DWConv", {}),
        ("timm ResNet-18", lambda: timm.create_model("resnet18"), "GhostConv", {}),
        (
            "timm EfficientNet-B0, 1×1 too",
            lambda: timm.create_model("efficientnet_b0"),
            "GhostConv",
            {"match": ANY_KERNEL},
        ),
        ("YOLOv8n, stages", yolo("yolov8n.yaml"), "C2fGhost", {}),
        ("YOLOv8n-cls, stages", yolo("yolov8n-cls.yaml"), "C2fShuffle", {}),
        ("YOLO11n-seg, neck", yolo("yolo11n-seg.yaml"), "GhostConv", {"where": "neck"}),
        ("YOLO11n-obb, head", yolo("yolo11n-obb.yaml"), "DWConv", {"where": "head"}),
        ("YOLO12n, convolutions", yolo("yolo12n.yaml"), "GhostConv", {}),
        ("YOLO26n-pose, stages", yolo("yolo26n-pose.yaml"), "C2fDW", {}),
    ]


def main() -> None:
    print("| model | block | swapped | left | parameters | multiply-adds |\n|---|---|---|---|---|---|")
    for name, build, block, options in cases():
        model: nn.Module = build()
        report = replace(model, block, **options)
        assert report.macs is not None
        params, macs = (f"{a / 1e6:.2f} → {b / 1e6:.2f} M" for a, b in (report.params, report.macs))
        print(f"| {name} | {block} | {len(report.swapped)} | {len(report.left)} | {params} | {macs} |", flush=True)


if __name__ == "__main__":
    main()
