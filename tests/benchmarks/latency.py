"""Times of whole exported networks in one process, in turns, the best of three runs in each turn.

Usage: python tests/benchmarks/latency.py yolov8n.yaml yolov8n-lite.yaml[@416] [--runtime ncnn] [--rounds 20]

A burst of one network finds its weights in the cache, as a camera's stream does; `yolo-plugins compare`, where another
process has run in between, does not. On a machine that is busy with other things, `--threads 1 --cpu-time` times the
processor's work.
"""

import argparse
from statistics import median
from typing import Any

import torch
from yolo_plugins.comparing import RUNTIMES, ratio, timed
from yolo_plugins.searching import networks


def main() -> None:
    parser = timing_parser(__doc__)
    parser.add_argument(
        "models", nargs="+", help="YAML or .pt files, with @SIZE at another image size; ratios refer to the first"
    )
    parser.add_argument("--cpu-time", action="store_true", help="of the processor's work, with one thread")
    args = parser.parse_args()
    nets = {}
    for name in args.models:
        model, _, size = name.partition("@")
        imgsz = int(size or args.imgsz)
        nets[name] = (deployed(model, runtime=args.runtime, imgsz=imgsz), [torch.rand(1, 3, imgsz, imgsz)])
    times = timed(nets, args.runtime, args.threads, args.rounds, args.cpu_time)
    for name in args.models:
        print(f"{name}: {median(times[name]):.1f} ms, {shown(times[args.models[0]], times[name])} as fast")


def timing_parser(description: str | None) -> argparse.ArgumentParser:
    """With what all timings of networks take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", choices=RUNTIMES, default="onnx")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    return parser


def deployed(model: str, fuse: bool = True, runtime: str = "onnx", imgsz: int = 640) -> Any:
    """The network as the exporter prepares it, its head giving boxes and scores alone."""
    return networks.deployed(networks.network(model), runtime, imgsz, fuse)


def shown(before: list[float], after: list[float]) -> str:
    """How many times as fast, with the interval of the rounds."""
    found = ratio(before, after)
    return f"{found.median:.2f}×" + (f" ({found.low:.2f}–{found.high:.2f})" if found.low is not None else "")


if __name__ == "__main__":
    main()
