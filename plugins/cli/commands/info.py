"""Show a model row by row against its stock base: which rows are plug-ins, parameters and GFLOPs, total and change.

MODEL is a YAML (bare name or path) or a trained .pt file. GFLOPs are counted as Ultralytics does: 2 × multiply-adds,
before fusing.
"""

from __future__ import annotations

import argparse

HELP = "show a model row by row against its stock base"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model YAML or a .pt file")
    parser.add_argument("--base", help="the YAML to compare with; by default the stock one of the same family and task")
    parser.add_argument("--nc", type=int, default=None, help="number of classes; by default the YAML's")
    parser.add_argument("--imgsz", type=int, default=640, help="image size for GFLOPs (default 640)")


def run(args: argparse.Namespace) -> None:
    from ...inspection.info import describe, render

    print(render(describe(args.model, args.base, args.nc, args.imgsz)))
