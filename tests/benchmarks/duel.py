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
Runs lie in STORE and are not run again; what was stopped goes on. Times need a quiet machine: the same command with
--times, at the end, measures them anew for what was chosen, and trains nothing again.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from duel_table import merged, table
from duel_ways import WAYS, Duel
from yolo_plugins.comparing import RUNTIMES
from yolo_plugins.files import write_text
from yolo_plugins.training.held_out import digest, hold_out

KEPT = ("way", "seed", "val", "test", "ms", "minutes", "labels", "versions")


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
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("--timing-threads", type=int, default=2, help="of what is timed")
    parser.add_argument("--times", action="store_true", help="measure the times anew")
    parser.add_argument("--device", default="cpu", help="as Ultralytics takes it: cpu, or a GPU's number")
    parser.add_argument("--test", action="store_true", help="show the figures on the test images")
    parser.add_argument(
        "--results", type=Path, help="JSON file to write them to, beside what other seeds and ways left there"
    )
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    data = hold_out(args.data, args.store / f"{args.data.stem}-held-out")
    rows = [row for seed in args.seeds for row in Duel(args, str(data), digest(data), seed).ways(args.ways)]
    if args.results:
        before = json.loads(args.results.read_text(encoding="utf-8")) if args.results.is_file() else []
        own = [{"light": args.light, **{key: row.get(key) for key in KEPT}} for row in rows]
        write_text(args.results, json.dumps(merged(before, own), indent=1) + "\n")
    print(table(rows, {"mAP50-95": "test" if args.test else "val"}))


if __name__ == "__main__":
    main()
