"""Make a trained checkpoint light and keep what it learned: blocks swapped, then taught what the old ones did.

CHECKPOINT is a trained Ultralytics .pt; IMAGES a folder of images like those it was trained on, without labels. Every
layer that is not swapped is copied. The result is an ordinary .pt, for `yolo val model=light.pt` and, to train on,
`yolo train model=light.pt`.

With --data and --epochs it goes the whole way: it learns from the data's training images without labels, then trains
for so many epochs with them, the teacher beside it as Ultralytics' `distill_model`, and keeps what is best on the
validation images. Classes are the data's; those that the teacher knows by name keep what was learned of them.

An interrupted run goes on where it was when it is started again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .. import swap_options

if TYPE_CHECKING:
    from ...swapping.recipes import Recipe
    from ...transplanting.whole_way import Outcome

HELP = "make a trained checkpoint light, and keep what it learned"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="the trained .pt")
    swap_options.add(parser)
    aligned = "or a light model YAML whose rows are aligned with the checkpoint's"
    parser.add_argument("--model", metavar="YAML", help=aligned)
    parser.add_argument("--images", metavar="FOLDER", help="images, without labels; by default the data's for training")
    parser.add_argument("-o", "--output", metavar="FILE", help="the .pt to write; by default beside the checkpoint")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.add_argument("--imgsz", type=int, help="longer side of the images; by default the checkpoint's")
    parser.add_argument("--batch", type=int, default=8, help="images a step without labels (default 8)")
    parser.add_argument("--block-steps", type=int, help="steps for each block alone")
    parser.add_argument("--joint-steps", type=int, help="steps for all of them together")
    parser.add_argument("--nc", type=int, help="without --data: so many other classes, learned anew")
    parser.add_argument("--vertical-flips", action="store_true", help="for images without an up and down")
    parser.add_argument("--keep-activations", action="store_true", help="the blocks' own ones, not the checkpoint's")
    parser.add_argument("--device", default="cpu", help="as torch names it, such as cuda:0 (default cpu)")
    parser.add_argument("--seed", type=int, default=0)
    whole = parser.add_argument_group("the whole way, with labels")
    whole.add_argument("--data", metavar="YAML", help="of a labelled set")
    whole.add_argument("--epochs", type=int, help="train for so many")
    whole.add_argument("--train", nargs="*", default=[], metavar="KEY=VALUE", help="further arguments of `yolo train`")


def run(args: argparse.Namespace) -> None:
    _check(args)
    import time

    from ...training.arguments import parse
    from ...transplanting import Schedule
    from ...transplanting.checkpoint import Light, transplant_checkpoint
    from ...transplanting.whole_way import WholeWay

    swap = swap_options.chosen(args)
    output = Path(args.output) if args.output else _beside(Path(args.checkpoint), swap, args.model)
    if output.exists() and not args.force:
        raise FileExistsError(f"{output} exists; --force replaces it, -o gives another name")
    given = {"block_steps": args.block_steps, "joint_steps": args.joint_steps, "seed": args.seed}
    schedule = Schedule(**{key: value for key, value in given.items() if value is not None})
    begin = time.time()

    def progress(phase: str, step: int, steps: int, loss: float) -> None:
        if step % 25 == 0 or step == steps:
            print(f"{phase} {step}/{steps}  loss {loss:.3f}  {time.time() - begin:.0f} s", flush=True)

    names = {number: str(number) for number in range(args.nc)} if args.nc else None
    light = Light(swap, args.model, names, args.keep_activations)
    options = {"imgsz": args.imgsz, "batch": args.batch, "vertical_flips": args.vertical_flips, "device": args.device}
    if args.epochs:
        arguments = parse(args.train, "--train ")
        place = {"imgsz": options.pop("imgsz"), "device": options.pop("device"), "options": options}
        outcome = WholeWay(
            Path(args.checkpoint), Path(args.data), output, light, args.epochs,
            images=args.images and Path(args.images), schedule=schedule, arguments=arguments, progress=progress,
            **place,
        ).run()  # fmt: skip
        print(_told(outcome, args.epochs))
    else:
        paths = args.checkpoint, args.images, output
        report, counts = transplant_checkpoint(*paths, light, schedule=schedule, progress=progress, **options)
        print(f"\n{report}\nparameters {_fewer(*counts)}")
    print(f"written: {output}")


def _check(args: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        ValueError: naming the options.
    """
    if bool(swap_options.given(args)) == bool(args.model):
        raise ValueError("give either which blocks go where, such as --swap ghost, or the --model that has them")
    if (args.data is None) != (args.epochs is None):
        raise ValueError("--data and --epochs go together: so many epochs on the labels of a data YAML")
    if not args.data and not args.images:
        raise ValueError("give --images, a folder of images without labels, or --data and --epochs")
    if args.data and args.nc:
        raise ValueError("--nc is for a transplant without --data, which names the classes itself")
    if args.train and not args.epochs:
        raise ValueError("--train is for the epochs of --data and --epochs")
    for name in ("batch", "block_steps", "joint_steps", "nc", "imgsz", "epochs"):
        value = getattr(args, name)
        if value is not None and value < (0 if name.endswith("steps") else 1):
            raise ValueError(f"--{name.replace('_', '-')} {value} is too small")


def _beside(checkpoint: Path, swap: Recipe | None, model: str | None) -> Path:
    label = (swap.label if swap else Path(str(model)).stem) or "light"
    return checkpoint.with_name(f"{checkpoint.stem}-{label}.pt")


def _fewer(before: int, after: int) -> str:
    from ...tables import change

    return f"{before:,} → {after:,} ({change(after, before)})"


def _told(outcome: Outcome, epochs: int) -> str:
    """What the whole way came to: the blocks, the figures of each stage, what is kept."""
    from ...tables import columns

    titles = {
        "teacher": "teacher",
        "transplanted": "transplanted, without labels",
        "trained": f"then {epochs} epoch{'s' if epochs > 1 else ''} with labels",
    }
    rows = [["", "mAP50-95", "mAP50"]]
    for name, score in outcome.scores.items():
        rows.append([titles[name], *(f"{score[key]:.3f}" for key in ("map", "map50"))])
    lines = [f"\n{outcome.report}", "", columns(rows, right=[1, 2]), "", *outcome.notes]
    lines += [f"parameters {_fewer(*outcome.parameters)}", f"kept: {titles[outcome.kept]}"]
    return "\n".join([*lines, f"peak memory {outcome.memory:,.0f} MB"])
