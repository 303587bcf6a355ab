"""The demo's steps: each an ordinary `yolo` command in a process of its own, watched and timed."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..tables import columns
from .console import Console
from .dataset import write
from .pictures import beside, curves

# A quick schedule for few images: an optimizer step for every batch, little warm-up, mosaics switched off at the end.
SCHEDULE = (
    "batch=8",
    "nbs=8",
    "optimizer=AdamW",
    "lr0=0.002",
    "cos_lr=True",
    "warmup_epochs=1",
    "mosaic=0.5",
    "close_mosaic=4",
)
TASKS = {"detect": "yolov8n-ghost.yaml", "segment": "yolov8n-ghost-seg.yaml"}


@dataclass
class Settings:
    """The demo's knobs."""

    folder: Path = Path("yolo-plugins-demo")
    epochs: int = 18
    images: int = 320
    imgsz: int = 160
    seed: int = 0
    tasks: tuple[str, ...] = tuple(TASKS)


Result = tuple[dict[str, str], list[dict[str, float]]]
"""What came of one task: its line of the table, by heading, and its training's epochs."""


def run(settings: Settings, activate: Callable[[], tuple[Path, bool]]) -> None:
    """Draw the dataset and take each task from training to a checked ONNX file; leaves logs, models and pictures.

    Args:
        settings: The demo's knobs.
        activate: Lets the plain `yolo` command know the pack; tells where, and whether anything had to be written.

    Raises:
        RuntimeError: something that the demo needs is not installed, or a command failed; the log is named.
        ValueError: settings that cannot work.
    """
    if settings.imgsz < 64 or settings.imgsz % 32:
        raise ValueError(f"imgsz={settings.imgsz} must be a multiple of 32, at least 64")
    if settings.epochs < 1 or settings.images < 8:
        raise ValueError(f"epochs={settings.epochs} must be at least 1 and images={settings.images} at least 8")
    missing = [name for name in ("onnx", "onnxslim", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise RuntimeError(
            f"the demo exports to ONNX and needs {' and '.join(missing)}: pip install 'yolo-plugins[onnx]'"
        )
    start, console = time.monotonic(), Console()
    say = console.say
    where, new = activate()
    say(f"1. the plain `yolo` command knows the pack ({'activated' if new else 'active already'} in {where})")
    folder = settings.folder.resolve()
    say(f"2. drawing {settings.images} training and {settings.images // 4} validation images into {folder / 'shapes'}")
    sizes = settings.images, settings.images // 4, settings.imgsz
    data = write(folder / "shapes", *sizes, settings.seed, lambda i, of: console.running("drawn", f"{i}/{of}"))
    console.done("drawn")
    say("3. train, validate, predict, export to ONNX and run the exported file: " + " and ".join(settings.tasks))
    results = _side_by_side(settings, data, console)
    say("4. pictures")
    for task in settings.tasks:
        say(f"   {beside(folder, task, data.parent)}   labels beside predictions")
    say(f"   {curves(folder, {task: curve for task, (_, curve) in results.items()})}   training curves")
    lines = [line for line, _ in results.values()]
    table = columns([list(lines[0]), *(list(line.values()) for line in lines)], right=range(1, len(lines[0])))
    say(f"\n{table}\n\nin {clock(time.monotonic() - start)}; everything is in {folder}")


def _side_by_side(settings: Settings, data: Path, console: Console) -> dict[str, Result]:
    """All tasks at once, since Ultralytics leaves a core of the processor idle; the first that fails stops the others.

    The first task scans the labels and writes Ultralytics' settings, the others start when it has.
    """
    stop = threading.Event()
    caches = [data.parent / "labels" / f"{split}.cache" for split in ("train", "val")]
    with ThreadPoolExecutor(len(settings.tasks)) as pool:
        try:
            tasks: dict[str, Future[Result]] = {}
            for task in settings.tasks:
                tasks[task] = pool.submit(_Task(settings, task, data, console, stop).run)
                while not tasks[settings.tasks[0]].done() and not all(cache.is_file() for cache in caches):
                    time.sleep(0.2)
            for finished in as_completed(tasks.values()):
                finished.result()
            return {task: future.result() for task, future in tasks.items()}
        finally:
            stop.set()


class _Task:
    """One task from training to a checked ONNX file."""

    def __init__(self, settings: Settings, task: str, data: Path, console: Console, stop: threading.Event) -> None:
        self.settings, self.task, self.data, self.console, self.stop = settings, task, data, console, stop
        self.folder = settings.folder.resolve()

    def run(self) -> Result:
        settings, task, start = self.settings, self.task, time.monotonic()
        images, runs = self.data.parent / "images" / "val", self.folder / "runs"
        best, results = runs / task / "weights" / "best.pt", runs / task / "results.csv"
        results.unlink(missing_ok=True)
        size, place = f"imgsz={settings.imgsz}", [f"project={runs}", "exist_ok=True"]
        common = [f"data={self.data}", size, "workers=1", "plots=False", *place]
        schedule = [f"epochs={settings.epochs}", f"seed={settings.seed}", *SCHEDULE]
        log = self.yolo("train", f"model={TASKS[task]}", *common, *schedule, f"name={task}", watch=results)
        cost = re.search(r"summary: .*?([\d,]+) parameters.*?([\d.]+) GFLOPs", log)
        if cost is None:
            raise RuntimeError(f"no model summary in {self.log('train')}")
        metrics = _metrics(self.yolo("val", f"model={best}", *common, f"name={task}-val"))
        predict = [f"model={best}", f"source={images}", size, *place, f"name={task}-predict"]
        self.yolo("predict", *predict, "save_txt=True", "save_conf=True", "verbose=False")
        self.yolo("export", f"model={best}", "format=onnx", size)
        row = self.compared(best)
        same = "–" if row["same_boxes"] is None else f"{row['same_boxes']:.0%}"
        gap = f"{row['boxes_px']:.0e}"
        found = f"differ from torch's by {gap} px; {same} of the final ones agree"
        self.console.say(f"   {task}: ONNX Runtime's boxes {found}")
        line = {
            "model": TASKS[task].removesuffix(".yaml"),
            "params": cost[1],
            "GFLOPs": cost[2],
            "box mAP50": f"{metrics[0]:.3f}",
            "mAP50-95": f"{metrics[1]:.3f}",
            "mask mAP50": f"{metrics[2]:.3f}" if len(metrics) > 2 else "–",
            "ONNX MB": f"{best.with_suffix('.onnx').stat().st_size / 1e6:.1f}",
            "ONNX − torch, px": gap,
            "same boxes": same,
            "time": clock(time.monotonic() - start),
        }
        return line, _read_csv(results)

    def compared(self, best: Path) -> dict[str, Any]:
        """What `yolo-plugins compare` finds of the exported file beside torch."""
        folder = self.folder / "comparison" / self.task
        options = ["--data", str(self.data), "--imgsz", str(self.settings.imgsz), "--rounds", "5", "-o", str(folder)]
        self.command("compare", "yolo-plugins", "compare", str(best), "--formats", "onnx", *options)
        (row,) = json.loads((folder / "results.json").read_text(encoding="utf-8"))["rows"]
        if row["boxes_px"] is None:
            raise RuntimeError(f"the exported file could not be compared with torch: {row['reason']}")
        return dict(row)

    def yolo(self, mode: str, *arguments: str, watch: Path | None = None) -> str:
        return self.command(mode, "yolo", mode, *arguments, watch=watch)

    def command(self, step: str, name: str, *arguments: str, watch: Path | None = None) -> str:
        """Run a command with its output in a log file; tells how far it is, and returns the output."""
        shown = " ".join(a.replace(f"{self.folder}{os.sep}", "") for a in arguments)  # as it reads inside the folder
        self.console.say(f"   $ {name} {shown}")
        command = [str(Path(sysconfig.get_path("scripts")) / name), *arguments]
        log, start = self.log(step), time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "w", encoding="utf-8") as output:
            process = subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=subprocess.STDOUT)
            try:
                while process.poll() is None:
                    if self.stop.wait(0.2):
                        raise RuntimeError(f"{self.task} {step} was stopped")
                    self.tell(watch, start)
            finally:
                process.terminate()
                process.wait()
        self.tell(watch, start)
        self.console.done(self.task)
        text = log.read_text(encoding="utf-8", errors="replace")
        if process.returncode:
            last = text.strip().rpartition("\n")[2].strip()
            raise RuntimeError(f"{self.task} {step} failed ({last}); its output is in {log}")
        return text

    def tell(self, watch: Path | None, start: float) -> None:
        """How far the training is that writes its results to `watch`."""
        if watch is not None and (rows := _read_csv(watch)):
            score, taken = rows[-1].get("metrics/mAP50(B)", 0.0), clock(time.monotonic() - start)
            self.console.running(self.task, f"epoch {len(rows)}/{self.settings.epochs}, mAP50 {score:.3f}, {taken}")

    def log(self, step: str) -> Path:
        return self.folder / "logs" / f"{self.task}-{step}.log"


def _metrics(log: str) -> list[float]:
    """mAP50 and mAP50-95 of boxes, and of masks where there are any, from what `yolo val` prints."""
    line = re.search(r"^\s+all\s.*$", log, re.M)
    if line is None:
        raise RuntimeError("`yolo val` printed no line for all classes")
    numbers = [float(v) for v in line[0].split()[3:]]
    return [numbers[i] for i in range(len(numbers)) if i % 4 > 1]


def _read_csv(path: Path) -> list[dict[str, float]]:
    """Rows of Ultralytics' results.csv; none while it is not there, only whole ones while it is written."""
    if not path.is_file():
        return []
    with open(path, encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, skipinitialspace=True) if None not in row.values()]
    return [{key.strip(): float(value) for key, value in row.items() if value} for row in rows]


def clock(seconds: float) -> str:
    """Minutes and seconds, such as 2:05."""
    return f"{int(seconds // 60)}:{int(seconds % 60):02}"
