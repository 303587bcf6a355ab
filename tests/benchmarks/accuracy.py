"""Finished training runs as one table of accuracy, and its plot against measured latency.

Usage: python tests/benchmarks/accuracy.py RUNS --speed report/results.json --results FILE.json --plot FILE.png

RUNS is a folder of Ultralytics runs, each trained alike and called MODEL_sSEED. Of each, the best epoch by mAP50-95 on
the validation images is taken, as Ultralytics takes its best.pt. `--speed` is the `results.json` of
`yolo-plugins compare` on the same models.
"""

import argparse
import csv
import json
import platform
from importlib.metadata import version
from pathlib import Path
from statistics import mean
from typing import Any

from yolo_plugins.files import read_yaml, write, write_text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--speed", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--plot", type=Path, required=True)
    args = parser.parse_args()
    rows = [best(folder) for folder in sorted(args.runs.glob("*_s*")) if (folder / "results.csv").is_file()]
    if not rows:
        parser.error(f"{args.runs} holds no run called MODEL_sSEED with a results.csv")
    write_text(args.results, json.dumps({"versions": versions(), "runs": rows}, indent=2) + "\n")
    speed = ratios(json.loads(args.speed.read_text(encoding="utf-8")))
    write(args.plot, lambda file: plot(rows, speed, file))
    print(f"written: {args.results} and {args.plot}")


def best(folder: Path) -> dict[str, Any]:
    """The best epoch of one run, with what it was trained with."""
    with open(folder / "results.csv", encoding="utf-8") as file:
        epochs = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(file)]
    top = max(epochs, key=lambda row: float(row["metrics/mAP50-95(B)"]))
    args = read_yaml(folder / "args.yaml")
    model, _, seed = folder.name.rpartition("_s")
    return {
        "model": model,
        "seed": int(seed),
        "mAP50": round(float(top["metrics/mAP50(B)"]), 4),
        "mAP50-95": round(float(top["metrics/mAP50-95(B)"]), 4),
        "best epoch": int(top["epoch"]),
        "epochs": len(epochs),
        "of": args["epochs"],
        **{key: args[key] for key in ("batch", "imgsz")},
    }


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    packages = {name: version(name) for name in ("yolo-plugins", "ultralytics", "torch")}
    return {**packages, "python": platform.python_version()}


def ratios(results: dict[str, Any]) -> dict[str, dict[str, float]]:
    """By runtime and model, in 32 bits: how many times as fast as the first model the network is."""
    speed: dict[str, dict[str, float]] = {}
    for row in results["rows"]:
        if row["network_ms"] and not row["recipe"]:
            speed.setdefault(row["format"], {})[row["model"]] = row["network_speedup"] or 1
    return speed


def plot(rows: list[dict[str, Any]], speed: dict[str, dict[str, float]], file: Path) -> None:
    """Accuracy over speed, a panel a runtime, one dot a model with its seeds' mean; without runs that were stopped."""
    from matplotlib.figure import Figure

    scores: dict[str, list[float]] = {}
    for row in rows:
        if row["epochs"] == row["of"]:
            scores.setdefault(row["model"], []).append(row["mAP50-95"])
    figure = Figure(figsize=(3.6 * len(speed), 3.4))
    panels = figure.subplots(1, len(speed), sharey=True, squeeze=False)
    for panel, (runtime, models) in zip(panels[0], speed.items(), strict=True):
        for model, ratio in models.items():
            if model in scores:
                panel.scatter(ratio, mean(scores[model]), s=40, label=model)
        panel.set_title(runtime)
        panel.set_xlabel("times as fast as yolov8n")
        panel.grid(alpha=0.3)
        panel.margins(x=0.1, y=0.15)
    panels[0][0].set_ylabel("mAP50-95, BCCD, from scratch")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="lower center", ncols=4, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.14, 1, 1))
    figure.savefig(file, dpi=110, format="png")


if __name__ == "__main__":
    main()
