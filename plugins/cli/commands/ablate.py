"""Train a base model and the base with named changes, and write the table that a paper or a thesis shows.

    yolo-plugins ablate yolov8n.yaml --add ghost up="--up DySample" data=data.yaml epochs=100 imgsz=640 -o ablation

trains yolov8n, yolov8n with ghost, and yolov8n with ghost and DySample, with three seeds each. A change is

    ghost                              a recipe of `yolo-plugins yaml --recipes`, or a recipe's YAML file
    mine=ghost                         the same under a name of one's own
    se="--gate SE --from-stride 16"    options of `yolo-plugins yaml`
    head="22=plugins.LiteDetect"       a row by its number, as `yolo-plugins info` shows it, with the arguments it has
    c3="12=C3, [512]; 15=C3, [256]"    several rows, with other arguments

Every other KEY=VALUE is an argument of `yolo train` and goes there as it is: epochs, imgsz, batch, optimizer,
pretrained=yolov8n.pt, device=0,1 for two GPUs. The folder gets report.md, table.tex (booktabs), results.csv and
results.json: a tick for each change, parameters, GFLOPs, milliseconds, mAP as mean and standard deviation, and which
differences from the base are beyond chance. Interrupted, the same command goes on: what is trained stays trained.
"""

from __future__ import annotations

import argparse

from ...ablating.settings import Settings
from ...training.arguments import known, parse
from ..devices import require_activation

HELP = "train a base and named changes, and write the ablation table"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "yolo-plugins ablate MODEL --add CHANGE [CHANGE ...] data=DATA [KEY=VALUE ...] [options]"
    parser.add_argument("model", metavar="MODEL", help="the base, with the letter of its scale: yolov8n.yaml")
    parser.add_argument("--add", nargs="+", action="extend", default=[], metavar="CHANGE", help="see above, in order")
    parser.add_argument("words", metavar="KEY=VALUE", nargs="*", help="arguments of `yolo train`; data at least")
    parser.add_argument("--seeds", type=int, help="times that each is trained: seeds 0, 1, 2, … (default %(default)s)")
    parser.add_argument(
        "--all", dest="every", action="store_true",
        help="all combinations, 2 to the power of the changes, instead of one after another on top",
    )  # fmt: skip
    parser.add_argument("--jobs", type=int, help="trainings at a time on this machine (default %(default)s)")
    parser.add_argument(
        "--ray", nargs="?", const="", metavar="ADDRESS",
        help="spread the trainings over a Ray cluster: of this address, else of RAY_ADDRESS, else this machine",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, help="times that each network is timed (default %(default)s)")
    parser.add_argument("--threads", type=int, help="of the runtime that is timed (default: all cores but one)")
    parser.add_argument("-o", "--output", metavar="FOLDER", help="of the results (default %(default)s)")
    names = ("seeds", "every", "jobs", "ray", "rounds", "threads", "output")
    parser.set_defaults(takes_more=True, **{name: getattr(Settings, name) for name in names})


def run(args: argparse.Namespace) -> None:
    words = [*args.words, *args.more]
    if args.ray and "=" in args.ray:  # what follows --ray without an address
        words.append(args.ray)
        args.ray = ""
    if options := [word for word in words if word.startswith("-")]:
        raise ValueError(f"{options[0]} is no option; what is for training is written as data=data.yaml")
    added = [word for word in args.add if word.partition("=")[0] not in known() or "=" not in word]
    words += [word for word in args.add if word not in added]
    data = [word.partition("=")[2] for word in words if word.startswith("data=")]
    if len(data) > 1:
        raise ValueError(f"data is given twice: {' and '.join(data)}")
    train = parse([word for word in words if not word.startswith("data=")], "what is not after --add ")
    require_activation(train)
    settings = Settings(
        data[0] if data else "", train, args.seeds, args.every, args.jobs, args.ray, args.rounds, args.threads,
        args.output,
    )  # fmt: skip
    from ...ablating.ablation import run as ablate
    from ...ablating.report import told

    print(told(ablate(args.model, added, settings), settings.output))
