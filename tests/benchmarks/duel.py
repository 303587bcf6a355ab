"""Who makes a trained YOLOv8n light best? Ways to one latency, with the same epochs of labels, in one store of runs.

Usage: python tests/benchmarks/duel.py STORE DATA.yaml [--light lite] [--epochs 10] [--runtime openvino] [--jobs 2]

    a  transplanted from the teacher without labels, then the epochs
    b  the teacher pruned by Torch-Pruning (`pip install torch-pruning`) until it is as fast, then the epochs
    c  the light model from scratch: the epochs alone
    d  the same with the teacher as Ultralytics' `distill_model`
    e  the light model with the teacher's weights by name (`pretrained=`), then the epochs
    f  as a, with the teacher as `distill_model`
    g  the teacher at a smaller input size, as fast, then the epochs

The teacher is the yolov8n of accuracy.py's series "sgd", from the same STORE. One in five training images of DATA is
held out; the best epoch and every choice are made on these, and `--test` shows the figures on DATA's validation images.
Runs lie in STORE and are not run again; what was stopped goes on. Times need a quiet machine, once.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from duel_ways import WAYS, Duel
from yolo_plugins.comparing import RUNTIMES
from yolo_plugins.files import write_text
from yolo_plugins.tables import markdown
from yolo_plugins.training.held_out import digest, hold_out
from yolo_plugins.training.seeds import spread


def table(rows: Sequence[dict[str, Any]], split: str) -> str:
    """Markdown: a row for each way, the mean of its seeds."""
    ways = list(dict.fromkeys(row["way"] for row in rows))
    cells = [["way", "mAP50-95", "seeds", "ms", "minutes", "epochs of labels"]]
    for way in ways:
        own = [row for row in rows if row["way"] == way]
        score = spread({row["seed"]: row[split]["map"] for row in own})
        ms, minutes = (sum(row[key] for row in own) / len(own) for key in ("ms", "minutes"))
        cells.append([way, str(score), str(len(own)), f"{ms:.1f}", f"{minutes:.1f}", own[0]["labels"]])
    return markdown(cells, [2, 3, 4])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--light", default="lite", help="recipe of the light model")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--teacher-epochs", type=int, default=60)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--imgsz", type=int, default=256)
    parser.add_argument("--block-steps", type=int, help="of the transplant")
    parser.add_argument("--joint-steps", type=int)
    parser.add_argument("--vertical-flips", action="store_true", help="for images without an up and down")
    parser.add_argument("--runtime", choices=RUNTIMES, default="openvino")
    parser.add_argument("--rounds", type=int, default=10, help="of timing")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--threads", type=int, default=1, help="of each run, and of what is timed")
    parser.add_argument("--device", default="cpu", help="as Ultralytics takes it: cpu, or a GPU's number")
    parser.add_argument("--test", action="store_true", help="show the figures on the test images")
    parser.add_argument("--results", type=Path, help="JSON file to write them to")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    data = hold_out(args.data, args.store / f"{args.data.stem}-held-out")
    rows = [row for seed in args.seeds for row in Duel(args, str(data), digest(data), seed).ways(args.ways)]
    if args.results:
        kept = ("way", "seed", "val", "test", "ms", "minutes", "labels", "versions")
        write_text(args.results, json.dumps([{key: row.get(key) for key in kept} for row in rows], indent=1) + "\n")
    print(table(rows, "test" if args.test else "val"))


if __name__ == "__main__":
    main()
