"""What the patch costs a stock model: how many times as fast it is built and loaded with the patch as without.

    python tests/benchmarks/stock_builds.py [yolov8n.yaml …] [--rounds 40]

Builds in turns, without and with the patch, in one process; processor time, median of the ratios pair by pair with its
95 % bootstrap interval.
"""

import argparse
import os
import time

os.environ["YOLO_PLUGINS"] = "0"
import torch
from ultralytics.nn import tasks
from ultralytics.utils import LOGGER
from yolo_plugins.comparing import ratio

import patch_ultralytics


def seconds(name: str) -> float:
    """Processor time of one build."""
    start = time.process_time()
    tasks.DetectionModel(name, verbose=False)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["yolov8n.yaml", "yolo11n.yaml", "yolo26n.yaml"])
    parser.add_argument("--rounds", type=int, default=40)
    args = parser.parse_args()
    if args.rounds < 6:
        parser.error("fewer than 6 rounds have no interval")
    torch.set_num_threads(1)
    LOGGER.setLevel("ERROR")
    for name in args.models:
        times: dict[bool, list[float]] = {False: [], True: []}
        for number in range(args.rounds + 2):
            for patched in (False, True) if number % 2 else (True, False):
                if patched:
                    patch_ultralytics.apply()
                taken = seconds(name)
                patch_ultralytics.revert()
                if number > 1:
                    times[patched].append(taken)
        found = ratio(times[False], times[True])
        print(f"{name}: {found.median:.3f} times as fast with the patch ({found.low:.3f}–{found.high:.3f})")


if __name__ == "__main__":
    main()
