"""Take `yolo-plugins activate` back: removes exactly the files that it wrote."""

from __future__ import annotations

import argparse

HELP = "take `activate` back"


def run(args: argparse.Namespace) -> None:
    from ..startup import active_folders, deactivate

    removed = deactivate()
    print("\n".join(f"removed {path}" for path in removed) if removed else "was not active")
    for folder in active_folders():
        print(f"note: still active through {folder}; it belongs to another Python, whose `yolo-plugins` removes it")
