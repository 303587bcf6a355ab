"""Accuracy over speed: a panel a runtime, a dot a model with its seeds' spread.

Usage: python tests/benchmarks/accuracy_plot.py RUNS.json --speed report/results.json --plot FILE.png [--test]
       [--where optimizer=SGD epochs=60]

RUNS.json is written by `accuracy.py --results`, `results.json` by `yolo-plugins compare` of the same models. Models are
matched by the names of their YAMLs. `--where` picks the runs of one schedule by their arguments.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from yolo_plugins.files import write
from yolo_plugins.inspection.latency import RUNTIMES
from yolo_plugins.training.seeds import Spread, spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--speed", type=Path, required=True)
    parser.add_argument("--plot", type=Path, required=True)
    parser.add_argument("--test", action="store_true", help="the accuracy on the test images")
    parser.add_argument("--where", nargs="+", default=[], metavar="KEY=VALUE", help="arguments that runs must have")
    args = parser.parse_args()
    wanted = dict(pair.split("=", 1) for pair in args.where)
    runs = [
        run
        for run in json.loads(args.runs.read_text(encoding="utf-8"))
        if all(str(run["arguments"].get(key)) == value for key, value in wanted.items())
    ]
    speed = times_as_fast(json.loads(args.speed.read_text(encoding="utf-8")))
    scores = by_model(runs, "test" if args.test else "val")
    write(args.plot, lambda file: plot(scores, speed, file))
    print(f"written: {args.plot}")


def by_model(runs: list[dict[str, Any]], split: str) -> dict[str, Spread]:
    """mAP50-95 of every model YAML's seeds.

    Raises:
        ValueError: the runs of a model had different schedules.
    """
    seeds: dict[str, dict[int, float]] = {}
    for run in runs:
        model = Path(run["model"]).stem
        if run["seed"] in seeds.setdefault(model, {}):
            raise ValueError(f"{model} has more than one run of seed {run['seed']}; give the runs of one schedule")
        seeds[model][run["seed"]] = run[split]["map"]
    return {model: spread(scores) for model, scores in seeds.items()}


def times_as_fast(results: dict[str, Any]) -> dict[str, dict[str, float]]:
    """By runtime and model, in 32 bits: how many times as fast as the first model the network is."""
    speed: dict[str, dict[str, float]] = {}
    for row in results["rows"]:
        if row["network_ms"] and not row["recipe"]:
            speed.setdefault(row["format"], {})[row["model"]] = row["network_speedup"] or 1
    return speed


def plot(scores: dict[str, Spread], speed: dict[str, dict[str, float]], file: Path) -> None:
    """Accuracy over speed, with the seeds' standard deviation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(speed), 3.4))
    panels = figure.subplots(1, len(speed), sharey=True, squeeze=False)
    for panel, (runtime, models) in zip(panels[0], speed.items(), strict=True):
        for model, ratio in models.items():
            if model in scores:
                score = scores[model]
                panel.errorbar(ratio, score.mean, score.deviation or 0, fmt="o", capsize=3, label=model)
        panel.set_title(RUNTIMES.get(runtime, runtime))
        panel.set_xlabel(f"times as fast as {next(iter(models))}")
        panel.grid(alpha=0.3)
        panel.margins(x=0.1, y=0.15)
    panels[0][0].set_ylabel("mAP50-95, trained from scratch")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="lower center", ncols=4, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.14, 1, 1))
    figure.savefig(file, dpi=110, format="png")


if __name__ == "__main__":
    main()
