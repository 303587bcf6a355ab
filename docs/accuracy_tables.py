"""The tables of docs/accuracy.md, from the runs that tests/benchmarks/results keep."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from yolo_plugins.tables import markdown
from yolo_plugins.training.seeds import difference, spread

RESULTS = Path(__file__).resolve().parents[1] / "tests" / "benchmarks" / "results"
DUEL = runpy.run_path(str(RESULTS.parent / "duel_table.py"))
MODELS = {
    "yolov8n": "yolov8n",
    "yolov8n-ultralytics-ghost": "Ultralytics' own yolov8n-ghost",
    "yolov8n-ghost": "yolov8n-ghost",
    "yolov8n-lite": "yolov8n-lite",
    "yolov8n-lite-base": "the former yolov8n-lite",
    "yolov8n-dwconv": "yolov8n-dwconv",
    "yolov8n-shuffle": "yolov8n-shuffle",
    "yolov8n-se": "yolov8n-se",
}
"""YAMLs without their suffix, and what they are called."""
LITE = "yolov8n-lite-stage3-depthwise-8"
DESIGNS = {
    "yolov8n-lite-base": "the former one: 5×5, `reg_max` 16",
    "yolov8n-lite-reg8": "`reg_max` 8",
    "yolov8n-lite-reg1": "`reg_max` 1",
    "yolov8n-lite-head3": "head of 3×3",
    "yolov8n-lite-shared-reg8": "one depthwise layer for boxes and classes, `reg_max` 8",
    "yolov8n-lite-merged-reg8": "one branch for boxes and classes, `reg_max` 8",
    "yolov8n-lite-depthwise-8": "depthwise from stride 8 on",
    "yolov8n-lite-depthwise-8-merged-reg8": "the same, one branch, `reg_max` 8",
    "yolov8n-lite-depthwise-8-shared-reg8": "the same, one depthwise layer, `reg_max` 8",
    f"{LITE}-shared3-reg8": "the same, 3×3 everywhere",
    "yolov8n-lite": "**the same, one branch, `reg_max` 12: lite as it is**",
    f"{LITE}-neck128-merged3-reg12": "the same, 128 channels at stride 8 of the neck",
    f"{LITE}-head3-reg1": "3×3 everywhere, depthwise from 8 on, separate branches, `reg_max` 1",
}
BLOCKS = {
    "yolov8n": "yolov8n as it is",
    **{f"yolov8n-convbnact-{gate.lower()}": f"{gate} as gate" for gate in
       ("SqueezeExcite", "EMA", "SE", "LSKA", "ELA", "CBAM", "CoordAtt", "ECA", "SimAM")},
    **{f"yolov8n-{name.lower()}": name for name in
       ("FasterBlock", "RepViTBlock", "StarBlock", "GhostBottleneckV2", "ShuffleUnitV2", "GSBottleneck", "UIB")},
    "yolov8n-shuffleunit-g-4": "ShuffleUnit(g=4)",
    **{f"yolov8n-{name.lower()}": name for name in ("DWConv", "GhostBottleneck", "InvertedResidual")},
}  # fmt: skip
SGD, ADAMW = "SGD", None
"""Optimisers: 0.01 and momentum 0.937, and Ultralytics' choice for few steps."""

Seeds = dict[int, dict[str, Any]]


@cache
def runs(data: str) -> dict[tuple[str, int, str | None], Seeds]:
    """By YAML without its suffix, epochs and optimiser: the runs by seed."""
    found: dict[tuple[str, int, str | None], Seeds] = {}
    for run in json.loads((RESULTS / f"accuracy_{data}.json").read_text(encoding="utf-8")):
        arguments = run["arguments"]
        key = (Path(run["model"]).stem, arguments["epochs"], arguments.get("optimizer"))
        found.setdefault(key, {})[run["seed"]] = run
    return found


def scores(seeds: Seeds, split: str) -> dict[int, float]:
    """mAP50-95 by seed."""
    return {seed: run[split]["map"] for seed, run in seeds.items()}


def beside(seeds: Seeds, base: Seeds, split: str = "val") -> str:
    """The difference, bold where it is beyond chance."""
    found = difference(scores(seeds, split), scores(base, split))
    text = str(found).replace("-", "−")
    return f"**{text}**" if found.beyond_chance else text


def table(
    models: dict[str, str], base: str | None, epochs: int = 60, optimizer: str | None = SGD, data: str = "bccd",
    heading: str = "model",
) -> str:  # fmt: skip
    """A row a model: seeds, mAP50-95 on held-out and test images, and beside the base, which has the same schedule."""
    rows = [[heading, "seeds", "held out", "test", *([f"beside {base}, held out"] if base else [])]]
    for stem, name in models.items():
        seeds = runs(data)[stem, epochs, optimizer]
        row = [name, str(len(seeds)), *(str(spread(scores(seeds, split))) for split in ("val", "test"))]
        if base:
            row.append("" if stem == base else beside(seeds, runs(data)[base, epochs, optimizer]))
        rows.append(row)
    return markdown(rows, [1])


def families() -> str:
    """YOLO11 and YOLO26, each lite beside its own stock model, then other scales."""
    rows = [["model", "seeds", "held out", "test", "beside stock, held out"]]
    for pair in (("yolo11n", "yolo11n-lite"), ("yolo26n", "yolo26n-lite"), ("yolov8s", "yolov8s-lite", "yolov8m-lite")):
        for stem in pair:
            seeds = runs("bccd")[stem, 60, SGD]
            compared = beside(seeds, runs("bccd")[pair[0], 60, SGD]) if stem == f"{pair[0]}-lite" else ""
            cells = (str(spread(scores(seeds, split))) for split in ("val", "test"))
            rows.append([stem, str(len(seeds)), *cells, compared])
    return markdown(rows, [1])


def long() -> str:
    """200 epochs beside 60."""
    rows = [["model", "epochs", "seeds", "held out", "test", "best epoch", "beside yolov8n, held out"]]
    for epochs in (60, 200):
        for stem in ("yolov8n", "yolov8n-lite"):
            seeds = runs("bccd")[stem, epochs, SGD]
            cells = [stem, str(epochs), str(len(seeds))]
            cells += (str(spread(scores(seeds, split))) for split in ("val", "test"))
            best = ", ".join(str(seeds[seed]["best epoch"]) for seed in sorted(seeds))
            compared = "" if stem == "yolov8n" else beside(seeds, runs("bccd")["yolov8n", epochs, SGD])
            rows.append([*cells, best, compared])
    return markdown(rows, [1, 2])


def blocks() -> str:
    """What stands inside the stages: the first cut, and the best at full length, in yolov8n and yolo26n."""
    rows = [["inside", "30 epochs", "60 epochs, held out", "beside yolov8n", "60 epochs, test", "yolo26n, 60 epochs"]]
    found = runs("bccd")
    order = sorted(BLOCKS, key=lambda stem: -found[stem, 30, SGD][0]["val"]["map"])
    order.remove("yolov8n")
    for stem in ("yolov8n", *order):
        row = [BLOCKS[stem], f"{found[stem, 30, SGD][0]['val']['map']:.3f}"]
        full = found.get((stem, 60, SGD), {})
        if full and stem != "yolov8n-dwconv":  # of that name another model, the shipped one, was trained for 60
            row.append(f"{spread(scores(full, 'val'))} ({len(full)})")
            row.append("" if stem == "yolov8n" else beside(full, found["yolov8n", 60, SGD]))
            row.append(str(spread(scores(full, "test"))))
            row.append(f"{found[stem.replace('yolov8n', 'yolo26n'), 60, SGD][0]['val']['map']:.3f}")
        rows.append([*row, *[""] * (6 - len(row))])
    return markdown(rows, [1, 5])


def second_set() -> str:
    """The models on DeepPCB."""
    rows = [["model", "mAP50, test", "mAP50-95, test", "mAP50-95, held out"]]
    for stem, name in MODELS.items():
        if seeds := runs("deeppcb").get((stem, 60, SGD)):
            tested = seeds[0]["test"]
            rows.append([name, f"{tested['map50']:.3f}", f"{tested['map']:.3f}", f"{seeds[0]['val']['map']:.3f}"])
    return markdown(rows, [1, 2, 3])


def duel() -> str:
    """Ways to make a teacher as fast as lite."""
    rows = json.loads((RESULTS / "duel_bccd.json").read_text(encoding="utf-8"))
    made: str = DUEL["table"]([row for row in rows if row["light"] == "lite"], {"held out": "val", "test": "test"})
    return made


PARTS: dict[str, Callable[[], str]] = {
    "sgd": partial(table, MODELS, "yolov8n"),
    "adamw": partial(
        table, {stem: MODELS[stem] for stem in ("yolov8n", "yolov8n-ghost", "yolov8n-lite-base")}, "yolov8n",
        optimizer=ADAMW,
    ),
    "long": long,
    "families": families,
    "second-set": second_set,
    "designs": partial(table, DESIGNS, None, heading="design"),
    "blocks": blocks,
}  # fmt: skip
"""What is made, by mark."""
