"""One training run of a series, in a process of its own: python -m yolo_plugins.training.one_run FOLDER.

FOLDER/run.json says what to do, FOLDER/result.json what came of it; between the two lies Ultralytics' own folder, from
which a run that was stopped goes on. With --attended it ends as soon as its input does.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from ..files import write_text
from ..installed import installed_version
from .processes import ATTENDED, end_with_parent
from .resuming import trained
from .runs import validate


def main(folder: Path) -> None:
    """Train, or go on training, then validate the best epoch's weights."""
    if threads := os.environ.get("OMP_NUM_THREADS"):
        import torch

        torch.set_num_threads(int(threads))
    order = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    arguments: dict[str, Any] = {**order["arguments"], "seed": order["seed"]}
    start = time.time()
    as_it_is = order.get("as it is", False)
    weights = trained(folder, order["model"], order["data"], as_it_is=as_it_is, **arguments)
    seconds = round(time.time() - start, 1)
    seen = {key: arguments[key] for key in ("imgsz", "batch", "device") if key in arguments}
    if not isinstance(seen.get("batch", 1), int) or seen.get("batch", 1) < 1:
        del seen["batch"]  # -1 or a share of the memory: Ultralytics finds a size for training alone
    seen |= order.get("validation", {})
    splits = ["val", *(["test"] if _has_test(order["data"]) else [])]
    scores = {
        split: validate(weights, order["data"], split=split, workers=0, project=str(folder / "val"), **seen)
        for split in splits
    }
    result = {**order, **scores, "best epoch": _best_epoch(folder), "seconds": seconds, "versions": versions()}
    shutil.rmtree(folder / "val", ignore_errors=True)
    write_text(folder / "result.json", json.dumps(result, indent=2) + "\n")


def _best_epoch(folder: Path) -> int:
    """Counted from 1, by mAP50-95 (of masks where there are any), or top-1 for classification."""
    import csv

    with open(folder / "train" / "results.csv", encoding="utf-8") as file:
        rows = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(file)]
    key = next((key for key in ("metrics/mAP50-95(M)", "metrics/mAP50-95(B)") if key in rows[0]), None)
    if key is None:
        key = "metrics/accuracy_top1"
    return int(max(rows, key=lambda row: float(row[key]))["epoch"])


def _has_test(data: str) -> bool:
    from ..files import read_yaml

    content = read_yaml(Path(data)) if Path(data).is_file() else {}
    return bool(content.get("test"))


def versions() -> dict[str, str]:
    """Of what a result depends on."""
    packages = ("yolo-plugins", "ultralytics", "torch")
    found = {"python": platform.python_version()} | {name: installed_version(name) or "unknown" for name in packages}
    import torch

    return {**found, "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"}


if __name__ == "__main__":
    if ATTENDED in sys.argv:
        end_with_parent()
    main(Path(sys.argv[1]))
