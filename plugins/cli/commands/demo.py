"""See the pack at work in a few minutes: from an empty folder to a checked ONNX file, with the ordinary commands.

Activates the pack, draws a small dataset, then for detection and segmentation runs `yolo train`, `yolo val`,
`yolo predict` and `yolo export format=onnx`, and compares the exported file with torch. Pictures, logs and models are
left in one folder, which may be deleted; `yolo-plugins deactivate` takes the activation back.
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "train, validate, predict and export on a dataset drawn on the spot"


def configure(parser: argparse.ArgumentParser) -> None:
    def knob(name: str, kind: type, default: object, text: str) -> None:
        parser.add_argument(name, type=kind, default=default, help=f"{text} (default {default})")

    knob("--folder", Path, Path("yolo-plugins-demo"), "where everything goes")
    knob("--epochs", int, 18, "of each training; more is more accurate")
    knob("--images", int, 320, "for training, and a quarter as many for validation")
    knob("--imgsz", int, 160, "side of the images in pixels")
    knob("--seed", int, 0, "of drawing and training")
    parser.add_argument("--task", choices=["detect", "segment"], help="only this one (default: both)")


def run(args: argparse.Namespace) -> None:
    from ...demo.pipeline import TASKS, Settings
    from ...demo.pipeline import run as run_demo
    from ..startup import activate

    tasks = (args.task,) if args.task else tuple(TASKS)
    run_demo(Settings(args.folder, args.epochs, args.images, args.imgsz, args.seed, tasks), activate)
