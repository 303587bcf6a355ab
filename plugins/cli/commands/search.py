"""Find which block at which row is worth its time on this machine: the best model within a budget of milliseconds.

MODEL is a model YAML with its scale letter, or with --images a trained .pt. Every row that a block can stand for is
timed alone with each candidate, and whole models with them, in turns; from both follows what a row takes inside a
model, and models held out show how well that predicts. The choice is the model that is worth the most within the
budget. It is measured too: only what keeps the budget as measured is written.

What a block is worth is what it explains of the row of a trained .pt after a short lesson on images without labels;
without them it is a guess, the root of the share of the row's multiply-adds that it keeps.

What was measured is kept in one folder, which may be deleted: after an interruption the same command goes on from
there, and another budget takes a minute.
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from ...comparing import RUNTIMES
from ...searching.settings import Settings

HELP = "find the best blocks for this machine within a budget of milliseconds"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="such as yolov8n.yaml")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the YAML to write")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--budget-ms", type=float, metavar="MS", help="that the exported network may take")
    budget.add_argument("--faster", type=float, metavar="TIMES", help="as fast as MODEL it must be, such as 2.5")
    parser.add_argument("--runtime", choices=RUNTIMES, help="that it will run in (default %(default)s)")
    parser.add_argument("--imgsz", type=int, help="side of the image in pixels (default %(default)s)")
    parser.add_argument("--threads", type=int, help="of the runtime (default: all cores but one)")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="time the work of --threads 1, on a machine that has other things to do",
    )
    parser.add_argument(
        "--blocks",
        nargs="+",
        metavar="BLOCK",
        help='what to try in place of the usual ones, such as C2fGhost "RepGhostStage(cheap_k=3)", or all',
    )
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="without labels, for a trained .pt")
    parser.add_argument("--steps", type=int, help="that each block is taught for (default %(default)s)")
    parser.add_argument("--rounds", type=int, help="times that each network is timed (default %(default)s)")
    parser.add_argument("--folder", type=Path, help="that keeps what was measured (default %(default)s)")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.set_defaults(**{field.name: field.default for field in fields(Settings)})


def run(args: argparse.Namespace) -> None:
    settings = Settings(**{field.name: getattr(args, field.name) for field in fields(Settings)})
    from ...searching.search import search

    print(search(args.model, args.output, settings).text)
