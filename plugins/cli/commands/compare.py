"""Export models, measure them side by side in several runtimes, and show which one to deploy.

MODEL is a model YAML, stock or of this pack, or a trained .pt file; NAME=MODEL gives it a name. A YAML without weights
is compared by cost and speed alone, unless --train trains it first. The report goes into one folder: report.html,
report.md, results.csv, results.json and the plots. What was measured is kept there: the same command goes on where it
was interrupted.

With a budget (--max-ms, --max-mb, --min-map) the exit code is 1 when no file keeps it.
"""

from __future__ import annotations

import argparse
from dataclasses import fields

from ...comparing import Settings
from ..devices import require_activation

HELP = "export models, measure them side by side, show which to deploy"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", metavar="MODEL", nargs="+", help="model YAMLs and .pt files")
    parser.add_argument("--data", help="data YAML of a labelled set, or a folder of classes; without it, no accuracy")
    parser.add_argument(
        "--formats",
        nargs="+",
        metavar="FORMAT",
        help="as in Ultralytics' export table, torch, and dnn (OpenCV's DNN on the ONNX file); "
        f"default {' '.join(Settings.formats)}",
    )
    parser.add_argument(
        "--quantize", type=int, nargs="+", metavar="BITS",
        help="8 and 16: each format in fewer bits too, by Ultralytics' export, and in 8 by this pack's quantisation; "
        "8 is calibrated on --data",
    )  # fmt: skip
    parser.add_argument("--imgsz", type=int, help="side of the image in pixels (default %(default)s)")
    parser.add_argument("-o", "--output", help="folder of the report (default %(default)s)")
    parser.add_argument("--threads", type=int, help="of every runtime (default: all cores but one)")
    parser.add_argument("--rounds", type=int, help="times that each model is timed (default %(default)s)")
    parser.add_argument("--conf", type=float, help="confidence from which boxes are final (default %(default)s)")
    parser.add_argument(
        "--timeout", type=float, help="seconds that one step of one file may take (default %(default)s)"
    )
    parser.add_argument("--force", action="store_true", help="measure anew what the folder holds already")
    budget = parser.add_argument_group("budget, for the choice and the exit code")
    budget.add_argument("--max-ms", type=float, metavar="MS", help="median time of one image, end to end")
    budget.add_argument("--max-mb", type=float, metavar="MB", help="size of the file, in 10⁶ bytes")
    budget.add_argument("--min-map", type=float, metavar="MAP", help="mAP50-95, of masks for segmentation; or top-1")
    training = parser.add_argument_group("training, for YAMLs")
    training.add_argument(
        "--train", nargs="*", metavar="KEY=VALUE", help="train them first, with these arguments of `yolo train`"
    )
    training.add_argument("--seeds", type=int, nargs="+", help="train with each (default 0)")
    training.add_argument(
        "--ray", action="store_true", help="spread the runs over a Ray cluster (RAY_ADDRESS, else a local one)"
    )
    parser.set_defaults(**{field.name: field.default for field in fields(Settings)})


def run(args: argparse.Namespace) -> int:
    from ...comparing import Budget, answer, compare, warnings, winner
    from ...training.arguments import parse

    budget = Budget(args.max_ms, args.max_mb, args.min_map)
    asked = {field.name: getattr(args, field.name) for field in fields(Settings)}
    train = None if args.train is None else parse(args.train, "--train ")
    require_activation(train or {})
    rows = compare(args.models, Settings(**{**asked, "budget": budget, "train": train}))
    print("\n".join([*answer(rows, budget), *warnings(rows)]))
    print(f"report: {args.output}/report.html")
    return 1 if budget and winner(rows, budget) is None else 0
