"""A trained stock detector to a light one, measured: transplant without labels, then ten epochs with them.

Usage: python tests/benchmarks/transplanting.py TEACHER.pt DATA.yaml [--swaps ghost ghost-gentle] [--results FILE.json]

TEACHER is a trained Ultralytics detector, DATA the YAML of its dataset: the training images are used without their
labels to transplant and with them to fine-tune, the validation images to measure. Each figure is written to the
results file as soon as there is one.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from yolo_plugins import Schedule
from yolo_plugins.comparing.machine import command
from yolo_plugins.files import read_yaml, write_text
from yolo_plugins.training.one_run import versions
from yolo_plugins.training.runs import train, validate
from yolo_plugins.transplanting.checkpoint import transplant_checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher")
    parser.add_argument("data")
    parser.add_argument("--swaps", nargs="+", default=["ghost", "ghost-gentle"])
    parser.add_argument("--joint-steps", nargs="+", type=int, default=[800, 400], help="one for each of the swaps")
    parser.add_argument("--block-steps", type=int, default=80)
    parser.add_argument("--epochs", type=int, default=10, help="of fine-tuning; 0 for none")
    parser.add_argument("--lr0", type=float, default=0.002, help="of fine-tuning, which begins from trained weights")
    parser.add_argument("--imgsz", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("transplant_bccd.json"))
    args = parser.parse_args()
    if len(args.joint_steps) != len(args.swaps):
        parser.error("--joint-steps must be one number for each of --swaps")
    measure(args)


def measure(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    described = read_yaml(Path(args.data))
    images = Path(args.data).parent / described.get("path", "") / described["train"]
    results: dict[str, Any] = {
        "command": command(),
        "versions": versions(),
        "seed": args.seed,
        "threads": args.threads,
        "rows": [],
    }
    common = {"imgsz": args.imgsz, "batch": 16, "workers": 0}
    with tempfile.TemporaryDirectory(prefix="transplant-") as folder:

        def note(what: str, model: str | Path, clock: _Clock, params: int | None = None) -> None:
            took, found = clock.read(), validate(model, args.data, project=f"{folder}/val", verbose=False, **common)
            accuracy = {"mAP50-95": round(found["map"], 4), "mAP50": round(found["map50"], 4)}
            row = {"what": what, "params": params, **took, **accuracy}
            results["rows"].append(row)
            write_text(args.results, json.dumps(results, indent=2) + "\n")
            print(row, flush=True)

        note("teacher", args.teacher, _Clock())
        for swap, steps in zip(args.swaps, args.joint_steps, strict=True):
            init, clock = Path(folder) / f"{swap}.pt", _Clock()
            schedule = Schedule(block_steps=args.block_steps, joint_steps=steps, seed=args.seed)
            options = {"swap": swap, "imgsz": args.imgsz, "vertical_flips": True, "progress": clock.show}
            report, (_, params) = transplant_checkpoint(args.teacher, images, init, schedule=schedule, **options)
            results[f"explained by {swap}"] = {"alone": report.alone, "in place": report.in_place}
            note(f"{swap}, transplanted without labels", init, clock, params)
            if args.epochs:
                clock = _Clock()
                tuned = train(
                    init, args.data, epochs=args.epochs, seed=args.seed, amp=False, optimizer="AdamW", lr0=args.lr0,
                    lrf=0.05, warmup_epochs=1, close_mosaic=3, project=folder, name=f"tuned-{swap}", **common,
                )  # fmt: skip
                note(f"{swap}, then {args.epochs} epochs with labels", tuned, clock, params)


class _Clock:
    """Seconds since it was made: on the wall and of processor time, the second unmoved by other programs."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.time(), time.process_time()

    def read(self) -> dict[str, int]:
        return {"wall s": round(time.time() - self.wall), "CPU s": round(time.process_time() - self.cpu)}

    def show(self, phase: str, step: int, steps: int, loss: float) -> None:
        if step % 50 == 0:
            print(f"{phase} {step}/{steps} {loss:.3f} {self.read()}", flush=True)


if __name__ == "__main__":
    main()
