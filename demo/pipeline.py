"""The demo's steps: each an ordinary `yolo` command in a process of its own, watched and timed."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from ..tables import columns
from .dataset import write

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
    epochs: int = 16
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


def run(settings: Settings) -> list[Result]:
    """Draw the dataset and take each task from training to a checked ONNX file; leaves logs, models and pictures.

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
    from ..startup import activate

    start = time.monotonic()
    where, new = activate()
    say(f"1. the plain `yolo` command knows the pack ({'activated' if new else 'active already'} in {where})")
    folder = settings.folder.resolve()
    say(f"2. drawing {settings.images} training and {settings.images // 4} validation images into {folder / 'shapes'}")
    data = write(folder / "shapes", settings.images, settings.images // 4, settings.imgsz, settings.seed, _drawn)
    results = [_task(settings, task, data, number) for number, task in enumerate(settings.tasks, 3)]
    from .pictures import beside, curves

    say(f"{len(settings.tasks) + 3}. pictures")
    for task in settings.tasks:
        say(f"   {beside(folder, task, data.parent)}   labels beside predictions")
    say(f"   {curves(folder, {r.task: r.curve for r in results})}   training curves")
    say(f"\n{table(results)}\n\nin {clock(time.monotonic() - start)}; everything is in {folder}")
    return results


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


def _task(settings: Settings, task: str, data: Path, number: int) -> Result:
    folder, start = settings.folder.resolve(), time.monotonic()
    say(f"{number}. {task}: train, validate, predict, export to ONNX, and run the exported file")
    images, runs = data.parent / "images" / "val", folder / "runs"
    best, results = runs / task / "weights" / "best.pt", runs / task / "results.csv"
    size, place = f"imgsz={settings.imgsz}", [f"project={runs}", "exist_ok=True"]
    common = [f"data={data}", size, "workers=1", "plots=False", *place]
    schedule = [f"epochs={settings.epochs}", f"seed={settings.seed}", *SCHEDULE]
    train = ["train", f"model={TASKS[task]}", *common, *schedule, f"name={task}"]
    val = ["val", f"model={best}", *common, f"name={task}-val"]
    predict = ["predict", f"model={best}", f"source={images}", size, *place, f"name={task}-predict"]
    log = _yolo(folder, f"{task}-train", *train, watch=results, epochs=settings.epochs)
    cost = re.search(r"summary: .*?([\d,]+) parameters.*?([\d.]+) GFLOPs", log)
    metrics = _metrics(_yolo(folder, f"{task}-val", *val))
    _yolo(folder, f"{task}-predict", *predict, "save_txt=True", "save_conf=True", "verbose=False")
    _yolo(folder, f"{task}-export", "export", f"model={best}", "format=onnx", size)
    check = [sys.executable, "-m", "yolo_plugins.demo.check_onnx", str(best), str(images), str(settings.imgsz)]
    checked = _run(folder, f"{task}-onnx", check)
    runtime, difference, boxes = checked.strip().splitlines()[-1].split("\t")
    say(f"      {runtime}: differs from torch by {float(difference):.0e} at most; {boxes} boxes are the same")
    if cost is None:
        raise RuntimeError(f"no model summary in {folder / 'logs' / f'{task}-train.log'}")
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


def _metrics(log: str) -> list[float]:
    """mAP50 and mAP50-95 of boxes, and of masks where there are any, from what `yolo val` prints."""
    line = next((line for line in log.splitlines() if re.match(r"\s+all\s", line)), None)
    if line is None:
        raise RuntimeError("`yolo val` printed no line for all classes")
    numbers = [float(v) for v in line.split()[3:]]
    return [numbers[i] for i in range(len(numbers)) if i % 4 > 1]


def _yolo(folder: Path, name: str, *arguments: str, watch: Path | None = None, epochs: int = 0) -> str:
    command = Path(sysconfig.get_path("scripts")) / "yolo"
    say(f"   $ yolo {' '.join(_short(a, folder) for a in arguments)}")
    return _run(folder, name, [str(command), *arguments], watch, epochs)


def _run(folder: Path, name: str, command: Sequence[str], watch: Path | None = None, epochs: int = 0) -> str:
    """Run a command with its output in a log file; says how far it is, and returns the output."""
    log = folder / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if watch is not None:
        watch.unlink(missing_ok=True)
    start, said = time.monotonic(), 0
    with open(log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                time.sleep(0.2)
                done = len(rows) if watch is not None and (rows := _read_csv(watch)) else 0
                if done > said:
                    said = done
                    score = rows[-1].get("metrics/mAP50(B)", 0.0)
                    _progress(
                        f"      epoch {done}/{epochs}  mAP50 {score:.3f}  {clock(time.monotonic() - start)}",
                        done == epochs,
                    )
        except BaseException:
            process.terminate()
            process.wait()
            raise
    text = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        last = [line for line in text.splitlines() if line.strip()][-1:]
        raise RuntimeError(f"{Path(command[0]).name} {name} failed ({''.join(last).strip()}); its output is in {log}")
    return text


def _read_csv(path: Path) -> list[dict[str, float]]:
    """Rows of Ultralytics' results.csv; none while it is not there, only whole ones while it is written."""
    if not path.is_file():
        return []
    with open(path, encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, skipinitialspace=True) if None not in row.values()]
    return [{key.strip(): float(value) for key, value in row.items() if value} for row in rows]


def _drawn(done: int, total: int) -> None:
    _progress(f"   {done}/{total}", done == total)


def _progress(text: str, last: bool) -> None:
    """One line that is written over on a terminal; elsewhere only its last state."""
    if sys.stdout.isatty():
        print(f"\r{text}", end="\n" if last else "", flush=True)
    elif last:
        say(text)


def say(text: str) -> None:
    """Print at once, so that a log shows how far the demo is."""
    print(text, flush=True)


def clock(seconds: float) -> str:
    """Minutes and seconds, such as 2:05."""
    return f"{int(seconds // 60)}:{int(seconds % 60):02}"


def _short(argument: str, folder: Path) -> str:
    """An argument with the demo's folder left out, as the command reads when run inside it."""
    return argument.replace(f"{folder}{os.sep}", "")
