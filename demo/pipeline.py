"""The demo's steps: each an ordinary `yolo` command in a process of its own, watched and timed."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

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


@dataclass
class Result:
    """What came of one task."""

    task: str
    seconds: float
    box_map50: float
    box_map: float
    mask_map50: float | None
    params: int
    gflops: float
    onnx_megabytes: float
    onnx_runtime: str
    onnx_difference: float
    boxes: str
    curve: list[dict[str, float]] = field(default_factory=list)


def run(settings: Settings, activate: Callable[[], tuple[Path, bool]]) -> list[Result]:
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
    data = write(
        folder / "shapes",
        settings.images,
        settings.images // 4,
        settings.imgsz,
        settings.seed,
        lambda done, total: console.running("drawn", f"{done}/{total}"),
    )
    console.done("drawn")
    say("3. train, validate, predict, export to ONNX and run the exported file: " + " and ".join(settings.tasks))
    results = _side_by_side(settings, data, console)
    say("4. pictures")
    for task in settings.tasks:
        say(f"   {beside(folder, task, data.parent)}   labels beside predictions")
    say(f"   {curves(folder, {r.task: r.curve for r in results})}   training curves")
    say(f"\n{table(results)}\n\nin {clock(time.monotonic() - start)}; everything is in {folder}")
    return results


def _side_by_side(settings: Settings, data: Path, console: Console) -> list[Result]:
    """All tasks at once, since Ultralytics leaves a core of the processor idle; the first that fails stops the others.

    The first task scans the labels and writes Ultralytics' settings, the others start when it has.
    """
    stop = threading.Event()
    caches = [data.parent / "labels" / f"{split}.cache" for split in ("train", "val")]
    with ThreadPoolExecutor(len(settings.tasks)) as pool:
        try:
            tasks = []
            for task in settings.tasks:
                tasks.append(pool.submit(_Task(settings, task, data, console, stop).run))
                while not tasks[0].done() and not all(cache.is_file() for cache in caches):
                    time.sleep(0.2)
            for finished in as_completed(tasks):
                finished.result()
            return [task.result() for task in tasks]
        except BaseException:
            stop.set()
            raise


def table(results: Sequence[Result]) -> str:
    """The results as a short table."""
    heading = [
        "model",
        "params",
        "GFLOPs",
        "box mAP50",
        "mAP50-95",
        "mask mAP50",
        "ONNX MB",
        "ONNX − torch",
        "same boxes",
        "time",
    ]
    rows = [
        [
            TASKS[r.task].removesuffix(".yaml"),
            f"{r.params:,}",
            f"{r.gflops:.1f}",
            f"{r.box_map50:.3f}",
            f"{r.box_map:.3f}",
            "–" if r.mask_map50 is None else f"{r.mask_map50:.3f}",
            f"{r.onnx_megabytes:.1f}",
            f"{r.onnx_difference:.0e}",
            r.boxes,
            clock(r.seconds),
        ]
        for r in results
    ]
    return columns([heading, *rows], right=range(1, len(heading)))


class _Task:
    """One task from training to a checked ONNX file."""

    def __init__(self, settings: Settings, task: str, data: Path, console: Console, stop: threading.Event) -> None:
        self.settings, self.task, self.data = settings, task, data
        self.console, self.stop = console, stop
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
        check = [sys.executable, "-m", "yolo_plugins.demo.check_onnx", str(best), str(images), str(settings.imgsz)]
        runtime, difference, boxes = self.command("check", check).strip().splitlines()[-1].split("\t")
        self.console.say(f"   {task}: {runtime} differs from torch by {float(difference):.0e}; {boxes} boxes the same")
        return Result(
            task,
            time.monotonic() - start,
            metrics[0],
            metrics[1],
            metrics[2] if len(metrics) > 2 else None,
            int(cost[1].replace(",", "")),
            float(cost[2]),
            best.with_suffix(".onnx").stat().st_size / 1e6,
            runtime,
            float(difference),
            boxes,
            _read_csv(results),
        )

    def yolo(self, mode: str, *arguments: str, watch: Path | None = None) -> str:
        shown = " ".join(a.replace(f"{self.folder}{os.sep}", "") for a in arguments)  # as it reads inside the folder
        self.console.say(f"   $ yolo {mode} {shown}")
        return self.command(mode, [str(Path(sysconfig.get_path("scripts")) / "yolo"), mode, *arguments], watch)

    def command(self, step: str, command: Sequence[str], watch: Path | None = None) -> str:
        """Run a command with its output in a log file; tells how far it is, and returns the output."""
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
            last = [line for line in text.splitlines() if line.strip()][-1:]
            raise RuntimeError(f"{self.task} {step} failed ({''.join(last).strip()}); its output is in {log}")
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
    line = next((line for line in log.splitlines() if re.match(r"\s+all\s", line)), None)
    if line is None:
        raise RuntimeError("`yolo val` printed no line for all classes")
    numbers = [float(v) for v in line.split()[3:]]
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
