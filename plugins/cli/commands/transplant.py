"""Make a trained checkpoint light and keep what it learned: blocks swapped, then taught what the old ones did.

CHECKPOINT is a trained Ultralytics .pt; IMAGES a folder of images like those it was trained on, without labels. Every
layer that is not swapped is copied. The result is an ordinary .pt, for `yolo val model=init.pt` and, to train on,
`yolo train model=init.pt`. An interrupted run goes on where it was when it is started again.
"""

from __future__ import annotations

import argparse

from .. import swap_options

HELP = "make a trained checkpoint light, and keep what it learned"
PASSED_ON = ("model", "imgsz", "batch", "nc", "vertical_flips", "keep_activations")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="the trained .pt")
    swap_options.add(parser)
    aligned = "or a light model YAML whose rows are aligned with the checkpoint's"
    parser.add_argument("--model", metavar="YAML", help=aligned)
    parser.add_argument("--images", required=True, metavar="FOLDER", help="images, without labels")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the .pt to write")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.add_argument("--imgsz", type=int, help="longer side of the images; by default the checkpoint's")
    parser.add_argument("--batch", type=int, default=8, help="images a step (default 8)")
    parser.add_argument("--block-steps", type=int, help="steps for each block alone")
    parser.add_argument("--joint-steps", type=int, help="steps for all of them together")
    parser.add_argument("--nc", type=int, help="another number of classes; the head's last layers then begin anew")
    parser.add_argument("--vertical-flips", action="store_true", help="for images without an up and down")
    parser.add_argument("--keep-activations", action="store_true", help="the blocks' own ones, not the checkpoint's")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    if bool(swap_options.given(args)) == bool(args.model):
        raise ValueError("give either which blocks go where, such as --swap ghost, or the --model that has them")
    import time
    from pathlib import Path

    from ...tables import change
    from ...transplanting import Schedule
    from ...transplanting.checkpoint import transplant_checkpoint

    if Path(args.output).exists() and not args.force:
        raise FileExistsError(f"{args.output} exists; --force replaces it, -o gives another name")
    for name in ("batch", "block_steps", "joint_steps", "nc", "imgsz"):
        value = getattr(args, name)
        if value is not None and value < (0 if name.endswith("steps") else 1):
            raise ValueError(f"--{name.replace('_', '-')} {value} is too small")
    swap = swap_options.chosen(args)
    given = {"block_steps": args.block_steps, "joint_steps": args.joint_steps, "seed": args.seed}
    schedule = Schedule(**{key: value for key, value in given.items() if value is not None})
    begin = time.time()

    def progress(phase: str, step: int, steps: int, loss: float) -> None:
        if step % 25 == 0 or step == steps:
            print(f"{phase} {step}/{steps}  loss {loss:.3f}  {time.time() - begin:.0f} s", flush=True)

    paths, passed_on = (args.checkpoint, args.images, args.output), {name: getattr(args, name) for name in PASSED_ON}
    report, (before, after) = transplant_checkpoint(
        *paths, swap=swap, schedule=schedule, progress=progress, **passed_on
    )
    print(f"\n{report}\nparameters {before:,} → {after:,} ({change(after, before)})\nwritten: {args.output}")
