"""The accuracy bench: series of training runs, resumable, and what they came to as one table.

Usage: python tests/benchmarks/accuracy.py STORE DATA.yaml --series base long [--jobs 2] [--threads 1] [--device cpu]

Of the training images of DATA one in five is held out; the best epoch and every choice are made on these. `--test`
shows the figures on DATA's validation images, which no run has seen. Runs lie in STORE and are not run again; a run
that was stopped goes on. What the JSON file of `--results` holds counts as done, and what is new is added to it.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accuracy_series import SERIES, runs
from yolo_plugins.files import write_text
from yolo_plugins.tables import markdown
from yolo_plugins.training.held_out import digest, hold_out
from yolo_plugins.training.seeds import difference, spread
from yolo_plugins.training.series import Run, train_all


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--series", nargs="+", choices=SERIES, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, help="only these, of those that a series has")
    parser.add_argument("--imgsz", type=int, default=256)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("--device", default="cpu", help="as Ultralytics takes it: cpu, or a GPU's number")
    parser.add_argument("--only-done", action="store_true", help="train nothing; show what the store holds")
    parser.add_argument("--test", action="store_true", help="show the figures on the test images")
    parser.add_argument("--beside", default="yolov8n", help="label that the others are compared with")
    parser.add_argument("--results", type=Path, help="JSON file of results")
    args = parser.parse_args(argv)
    known: dict[str, dict[str, Any]] = {}
    if args.results and args.results.exists():
        known = {run["run"]: run for run in json.loads(args.results.read_text(encoding="utf-8"))}
    wanted = {run.folder(args.store).name: run for run in _wanted(args)}
    missing = {name: run for name, run in wanted.items() if name not in known}
    if args.only_done:
        missing = {name: run for name, run in missing.items() if (args.store / name / "result.json").is_file()}
    options = {"jobs": args.jobs, "threads": args.threads}
    trained = train_all(list(missing.values()), args.store, **options, note=lambda text: print(text, flush=True))
    known |= {name: _shareable(name, run) for name, run in zip(missing, trained, strict=True)}
    if args.results:
        write_text(args.results, json.dumps(list(known.values()), indent=1) + "\n")
    found = [{**known[name], "label": run.label} for name, run in wanted.items() if name in known]
    print(table(found, args.beside, "test" if args.test else "val"))


def _wanted(args: argparse.Namespace) -> list[Run]:
    data = hold_out(args.data, args.store / f"{args.data.stem}-held-out")
    place = {"device": args.device, "cache": "ram"}
    known = digest(data)
    return [
        run
        for series in args.series
        for run in runs(series, str(data), known, args.imgsz, args.store / "models", place)
        if not args.seeds or run.seed in args.seeds
    ]


def table(found: Sequence[dict[str, Any]], beside: str, split: str) -> str:
    """Markdown: a row for each label and schedule, and how it differs from the label `beside` of that schedule."""
    scores: dict[tuple[str, int], dict[int, dict[str, Any]]] = {}
    for run in found:
        scores.setdefault((run["label"], run["arguments"]["epochs"]), {})[run["seed"]] = run
    rows = [["model", "epochs", "seeds", "mAP50", "mAP50-95", f"beside {beside}", "best epoch", "minutes"]]
    for (label, epochs), seeds in scores.items():
        maps = {seed: run[split]["map"] for seed, run in seeds.items()}
        base = {seed: run[split]["map"] for seed, run in scores.get((beside, epochs), {}).items()}
        compared = "" if label == beside or not maps.keys() & base.keys() else str(difference(maps, base))
        halves = {seed: run[split]["map50"] for seed, run in seeds.items()}
        best = ", ".join(str(run["best epoch"]) for run in seeds.values())
        minutes = sum(run["seconds"] for run in seeds.values()) / 60 / len(seeds)
        cells = [label, str(epochs), str(len(seeds)), str(spread(halves)), str(spread(maps)), compared, best]
        rows.append([*cells, f"{minutes:.1f}"])
    return markdown(rows, [1, 2, 6, 7])


def _shareable(name: str, run: dict[str, Any]) -> dict[str, Any]:
    """By the name of its folder, and without the paths of one machine."""
    return {
        "run": name,
        **{key: value for key, value in run.items() if key not in ("folder", "data")},
        "model": Path(run["model"]).name,
    }


if __name__ == "__main__":
    main()
