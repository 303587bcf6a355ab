"""Trained models in 32 and 8 bits by every recipe, in ONNX Runtime and OpenVINO: accuracy, milliseconds, and a table.

Usage: python tests/benchmarks/quantization.py NAME=CHECKPOINT … --data data.yaml [--page docs/quantizing.md]

Accuracy is mAP50-95 by Ultralytics' `val`, of boxes and, for segmenters, of masks. Milliseconds are the medians
of the network alone, all files of one runtime in turns; `--speed-imgsz` exports once more for another size. What was
measured is kept in `--results`, and the same command goes on from there. With `--limits` the exit code is 1 where a
recipe loses more than it may: Ultralytics' 3 points of a hundred in ONNX and 1.5 in OpenVINO, ours 1.
"""

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from yolo_plugins.files import write_text
from yolo_plugins.models.building import load, quiet, yolo
from yolo_plugins.quantizing import export_arguments, quantize
from yolo_plugins.tables import table, with_part
from yolo_plugins.training.runs import validate

FORMATS = {"onnx": "ONNX Runtime", "openvino": "OpenVINO"}
RECIPES = ("32 bits", "default", "8 bits, Ultralytics", "8 bits, ours")
"""By default OpenVINO computes in bfloat16 where the processor has it, ONNX Runtime in 32 bits."""
ALLOWED = {("onnx", RECIPES[2]): 0.03, ("openvino", RECIPES[2]): 0.015}
OURS = 0.01
MARK = "table"

Results = dict[str, dict[str, Any]]
"""By `NAME format recipe`: `map` from 0 to 1, `box_map` where that is of masks, `ms`, and of ours the layers `kept`."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", metavar="NAME=CHECKPOINT", nargs="+")
    parser.add_argument("--data", required=True, help="data YAML")
    parser.add_argument("--imgsz", type=int, help="by default each checkpoint's")
    parser.add_argument("--speed-imgsz", type=int, help="time at this size instead")
    parser.add_argument("--threads", type=int, default=2, help="of each runtime (default 2)")
    parser.add_argument("--rounds", type=int, default=50, help="times that each file is timed; 0: none is (default 50)")
    parser.add_argument("--folder", type=Path, default=Path("runs/quantization"), help="for the exported files")
    parser.add_argument("--results", type=Path, default=Path("runs/quantization.json"))
    parser.add_argument("--page", type=Path, help=f"the file that has the table, after <!-- {MARK} -->")
    parser.add_argument("--limits", action="store_true", help="exit with 1 where a recipe loses more than it may")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.folder.mkdir(parents=True, exist_ok=True)
    args.results.parent.mkdir(parents=True, exist_ok=True)
    results: Results = json.loads(args.results.read_text()) if args.results.exists() else {}
    files: dict[str, Path] = {}
    for model in args.models:
        name, _, checkpoint = model.partition("=")
        files |= measure(name, Path(checkpoint), args, results)
    if args.rounds:
        for format in FORMATS:
            wanted = [name for name in files if name.split(" ")[1] == format]
            for name, ms in times({n: files[n] for n in wanted}, format, args.threads, args.rounds).items():
                results[name]["ms"] = ms
        keep(results, args.results)
    text = table(lines(results), "markdown")
    print(text)
    if args.page:
        page = args.page.read_text(encoding="utf-8")
        write_text(args.page, with_part(page, MARK, text))
    over = too_much(results)
    print(*over, sep="\n")
    return int(bool(args.limits and over))


def measure(name: str, checkpoint: Path, args: argparse.Namespace, results: Results) -> dict[str, Path]:
    """Export one model by every recipe, measure what is not in `results`, and return the files to be timed."""
    _, train_args = load(checkpoint)
    imgsz = args.imgsz or int(train_args["imgsz"])
    files = {}
    for format in FORMATS:
        for recipe in RECIPES:
            if (format, recipe) == ("onnx", "default"):  # which is 32 bits
                continue
            key = f"{name} {format} {recipe}"
            source, made = export(name, checkpoint, format, recipe, imgsz, args)
            if key not in results:
                begin = time.time()
                # Ultralytics' `val` has no precision for OpenVINO: in 32 bits it computes what ONNX Runtime does.
                exact = f"{name} onnx 32 bits" if recipe == "32 bits" and format == "openvino" else None
                results[key] = {**(results[exact] if exact else accuracy(source, args.data, imgsz)), **made}
                keep(results, args.results)
                print(f"{key}: {results[key]} {time.time() - begin:.0f} s", file=sys.stderr, flush=True)
            fast = args.speed_imgsz or imgsz
            files[key] = source if fast == imgsz else export(name, checkpoint, format, recipe, fast, args, False)[0]
    return files


def export(
    name: str, checkpoint: Path, format: str, recipe: str, imgsz: int, args: argparse.Namespace, controlled: bool = True
) -> tuple[Path, dict[str, int]]:
    """A model's file by a recipe, exported unless it is there, and how many layers ours left in 32 bits."""
    eight = recipe.startswith("8")
    kind = "ours" if recipe == RECIPES[3] else "8" if eight else "32"
    folder = args.folder / f"{name}-{imgsz}-{kind}"
    file = folder / ("best.onnx" if format == "onnx" else "best_openvino_model")
    note = folder / f"{format}.json"
    if not note.exists():
        folder.mkdir(exist_ok=True)
        shutil.copy(checkpoint, folder / "best.pt")
        kept = 0
        if kind == "ours":
            drop = OURS if controlled else None
            result = quantize(
                folder / "best.pt", args.data, format, out=file, imgsz=imgsz, max_drop=drop, force=True, progress=tell
            )
            kept = len(result.kept_float)
        else:
            wanted = {"data": args.data, **export_arguments(8)} if eight else {}
            with quiet():
                made = Path(yolo(folder / "best.pt").export(format=format, imgsz=imgsz, device="cpu", **wanted))
            if made != file:
                made.rename(file)
        note.write_text(json.dumps(kept))
    return file, {"kept": json.loads(note.read_text())} if kind == "ours" else {}


def tell(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def accuracy(file: Path, data: str, imgsz: int) -> dict[str, float]:
    task = yolo(file.parent / "best.pt").task
    with quiet():
        found = validate(file, data, task, imgsz=imgsz, batch=1, device="cpu", verbose=False, project="runs/val")
    return {key: round(found[key], 4) for key in ("map", "box_map") if key in found}


def times(files: dict[str, Path], format: str, threads: int, rounds: int) -> dict[str, float]:
    """Median milliseconds of each file's network, in turns."""
    running = {name: runner(file, format, threads, exact=name.endswith("32 bits")) for name, file in files.items()}
    taken: dict[str, list[float]] = {name: [] for name in running}
    for number in range(rounds + 3):
        for name, run in running.items():
            begin = time.perf_counter()
            run()
            if number >= 3:  # warm
                taken[name].append(time.perf_counter() - begin)
    return {name: round(1000 * statistics.median(values), 2) for name, values in taken.items()}


def runner(file: Path, format: str, threads: int, exact: bool) -> Callable[[], object]:
    if format == "onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        images = noise(session.get_inputs()[0].shape)
        return lambda: session.run(None, {"images": images})
    import openvino

    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    config |= {"INFERENCE_PRECISION_HINT": "f32"} if exact else {}
    model = openvino.Core().compile_model(str(next(file.glob("*.xml"))), "CPU", config)
    images = noise(model.input(0).shape)
    return lambda: model(images)


def noise(shape: Any) -> Any:
    return np.random.default_rng(0).random([int(d) for d in shape], np.float32)


def keep(results: Results, file: Path) -> None:
    write_text(file, json.dumps(results, indent=1) + "\n")


def lines(results: Results) -> list[dict[str, str]]:
    """A line a model and runtime: mAP50-95 and milliseconds by each recipe."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for key, found in results.items():
        name, format, recipe = key.split(" ", 2)
        row = rows.setdefault((name, format), {"model": name, "runtime": FORMATS[format]} | dict.fromkeys(RECIPES, "–"))
        boxes = f" (boxes {found['box_map']:.3f})" if "box_map" in found else ""
        kept = f", {found['kept']} in 32" if found.get("kept") else ""
        row[recipe] = f"{found['map']:.3f}{boxes}" + (f", {found['ms']:.1f} ms" if "ms" in found else "") + kept
    return list(rows.values())


def too_much(results: Results) -> list[str]:
    """What loses more than it may, in words."""
    over = []
    for key, found in results.items():
        name, format, recipe = key.split(" ", 2)
        allowed = OURS if recipe == RECIPES[3] else ALLOWED.get((format, recipe))
        whole = results[f"{name} onnx 32 bits"]
        lost = max(whole[part] - found[part] for part in ("map", "box_map") if part in whole)
        if allowed is not None and lost > allowed:
            over.append(f"{key}: loses {100 * lost:.2f} points, {100 * allowed:g} allowed")
    return over


if __name__ == "__main__":
    sys.exit(main())
