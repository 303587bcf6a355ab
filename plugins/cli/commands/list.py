"""List the blocks, as YAML rows name them and with the arguments that rows give, and the model YAMLs."""

from __future__ import annotations

import argparse

HELP = "list blocks and model YAMLs"


def run(args: argparse.Namespace) -> int:
    from ...inspection.listing import blocks
    from ...model_yamls import names, title

    print("Blocks, with the arguments of a YAML row:")
    entries = blocks()
    width = max(len(entry.row) for entry in entries)
    for entry in entries:
        print(f"  {entry.row:<{width}}  {entry.summary}")
    print("\nModel YAMLs; put a scale letter n, s, m, l or x after the version, as in yolov8n-ghost.yaml:")
    width = max(map(len, names()))
    for name in names():
        print(f"  {name:<{width}}  {title(name)}")
    return 0
