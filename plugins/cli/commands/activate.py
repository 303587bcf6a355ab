"""Let every `yolo` command of this Python environment know the pack's blocks.

Writes a start-up file into site-packages. Nothing of Ultralytics is modified; `yolo-plugins deactivate` takes it back,
and YOLO_PLUGINS=0 in the environment switches it off for one process.
"""

from __future__ import annotations

import argparse

HELP = "let the plain `yolo` command of this environment know the blocks"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--user", action="store_true", help="into your own site-packages, where the common one is closed"
    )


def run(args: argparse.Namespace) -> None:
    from ..startup import activate, other_yolo

    folder, new = activate(user=args.user)
    print(f"{'activated' if new else 'already active'} in {folder}")
    if other := other_yolo():
        print(f"note: the `yolo` on your PATH is {other}, of another Python, where this changes nothing")
    else:
        print("try: yolo train model=yolov8n-ghost.yaml data=coco8.yaml epochs=1   (or yolo-plugins demo)")
