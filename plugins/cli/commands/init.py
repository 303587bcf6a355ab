"""Write a model with ImageNet weights in the rows of its published network: a start for `yolo train model=init.pt`.

MODEL is a YAML of the pack with GhostNet, ShuffleNet V1 or MobileNetV3 in it, such as yolov8n-ghostnet.yaml. The
weights come through timm, pytorchcv or torchvision: pip install yolo-plugins[imagenet]. ImageNet's normalisation goes
into the first convolution, since YOLO feeds images from 0 to 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "put ImageNet weights into a detector's backbone"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model YAML")
    parser.add_argument("--imagenet", action="store_true", required=True, help="take ImageNet weights")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("init.pt"), help="the file to write (default init.pt)"
    )


def run(args: argparse.Namespace) -> None:
    from ...models.building import build, save, writable
    from ...networks.imagenet import load_imagenet

    writable(args.output)
    model = build(args.model)
    transfer = load_imagenet(model)
    save(model, args.output)
    random = ", ".join(map(str, transfer.random_rows)) or "none"
    print(f"{transfer.loaded} of {transfer.total} tensors are {transfer.source}'s; rows that start at random: {random}")
    print(f"wrote {args.output}; try: yolo train model={args.output} data=coco8.yaml")
