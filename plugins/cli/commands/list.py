"""List the blocks, as YAML rows name them and with the arguments that rows give, and the model YAMLs."""

from __future__ import annotations

import argparse

from ...tables import columns

HELP = "list blocks and model YAMLs"


def run(args: argparse.Namespace) -> None:
    from ...inspection.listing import blocks
    from ...model_yamls import names, title

    print("Blocks, with the arguments of a YAML row:")
    print(columns([[f"  {entry.row}", entry.summary] for entry in blocks()]))
    print("\nModel YAMLs; put a scale letter n, s, m, l or x after the version, as in yolov8n-ghost.yaml:")
    print(columns([[f"  {name}", title(name)] for name in names()]))
