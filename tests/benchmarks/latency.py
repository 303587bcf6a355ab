"""Times of whole exported networks in one process, in turns, the best of three runs in each turn.

Usage: python tests/benchmarks/latency.py yolov8n.yaml yolov8n-lite.yaml [--runtime openvino] [--rounds 20]

A burst of one network finds its weights in the cache, as a camera's stream does; `yolo-plugins compare`, where another
process has run in between, does not.
"""

from __future__ import annotations

import argparse
from statistics import median

import torch
from yolo_plugins.comparing.intervals import ratio
from yolo_plugins.demo.search import RUNTIMES, timed

import patch_ultralytics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="model YAMLs or .pt files; ratios refer to the first")
    parser.add_argument("--runtime", choices=sorted(RUNTIMES), default="onnx")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    patch_ultralytics.apply()
    from ultralytics import YOLO

    networks = {}
    for name in args.models:
        model = YOLO(name).model.eval().fuse(verbose=False)
        model.model[-1].export, model.model[-1].format = True, "onnx"
        networks[name] = (model, [torch.rand(1, 3, args.imgsz, args.imgsz)])
    times = timed(networks, args)
    for name in args.models:
        found = ratio(times[args.models[0]], times[name])
        interval = f"{found.low or 0:.2f}–{found.high or 0:.2f}"
        print(f"{name}: {median(times[name]):.1f} ms, {found.median:.2f}× as fast ({interval})")


if __name__ == "__main__":
    main()
