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
from .runs import train, validate


def main(folder: Path) -> None:
    """Train, or go on training, then validate the best epoch's weights."""
    if threads := os.environ.get("OMP_NUM_THREADS"):
        import torch

        torch.set_num_threads(int(threads))
    order = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    arguments: dict[str, Any] = {**order["arguments"], "seed": order["seed"]}
    start = time.time()
    weights = _finished(folder) or _trained(folder, order, arguments)
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


def _trained(folder: Path, order: dict[str, Any], arguments: dict[str, Any]) -> Path:
    last = folder / "train" / "weights" / "last.pt"
    if last.is_file():
        try:
            return train(str(last), order["data"], resume=True)
        except Exception as error:  # stopped while it was written, or a checkpoint of another release
            print(f"{last} cannot be gone on with ({error}); this run begins again", flush=True)
    shutil.rmtree(folder / "train", ignore_errors=True)
    return train(order["model"], order["data"], project=str(folder), name="train", exist_ok=True, **arguments)


def _finished(folder: Path) -> Path | None:
    """The best weights of a training that came to its end."""
    from ..models.building import load

    best, last = (folder / "train" / "weights" / f"{name}.pt" for name in ("best", "last"))
    if not last.is_file():
        return None
    import torch

    try:
        # Ultralytics takes the optimiser out of last.pt when a run has ended.
        ended = torch.load(last, map_location="cpu", weights_only=False).get("optimizer") is None
        load(best)
    except Exception:
        return None
    return best if ended else None


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
