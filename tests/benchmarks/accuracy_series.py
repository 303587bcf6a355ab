"""Which runs the accuracy bench knows: by name, models trained alike on held-out training images."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from yolo_plugins.rows.yaml_files import stock_file
from yolo_plugins.training.series import Run

SIXTY: dict[str, Any] = {"epochs": 60, "batch": 16, "pretrained": False, "amp": False, "workers": 0, "plots": False}
SGD = {"optimizer": "SGD", "lr0": 0.01, "momentum": 0.937}
LONG = {**SIXTY, **SGD, "epochs": 200, "patience": 50}

MODELS = {
    "yolov8n": "yolov8n.yaml",
    "Ultralytics' ghost": "ultralytics/yolov8n-ghost.yaml",
    "ghost": "yolov8n-ghost.yaml",
    "lite": "yolov8n-lite.yaml",
    "dwconv": "yolov8n-dwconv.yaml",
    "shuffle": "yolov8n-shuffle.yaml",
    "se": "yolov8n-se.yaml",
}
THREE = (0, 1, 2)

GATES = ("SE", "SqueezeExcite", "ECA", "CBAM", "CoordAtt", "EMA", "SimAM", "ELA", "LSKA")
INNER = (
    "GhostBottleneck", "GhostBottleneckV2", "DWConv", "ShuffleUnit(g=4)", "ShuffleUnitV2", "InvertedResidual",
    "FasterBlock", "StarBlock", "UIB", "RepViTBlock", "GSBottleneck",
)  # fmt: skip
BLOCKS = {**{f"{gate} as gate": f"ConvBNAct, {gate}" for gate in GATES}, **{block: block for block in INNER}}
"""By label, what stands inside the stages of strides 16 and 32 (rows 6, 8, 12, 18 and 21 of YOLOv8)."""
BEST = ("SqueezeExcite as gate", "EMA as gate", "FasterBlock", "RepViTBlock", "StarBlock")


def runs(series: str, data: str, digest: str, imgsz: int, files: Path, place: dict[str, Any]) -> Iterator[Run]:
    """The runs of a series.

    Args:
        series: One of `SERIES`.
        data: Data YAML.
        digest: What the data are.
        imgsz: Pixels.
        files: Folder for model YAMLs that are written.
        place: Where runs take place (`device`, `cache`, `workers`).

    Raises:
        KeyError: no series of that name.
    """
    for label, model, seeds, arguments in SERIES[series](files):
        for seed in seeds:
            yield Run(label, model, data, seed, {**arguments, "imgsz": imgsz, **place}, digest)


def base(files: Path, only: tuple[str, ...] = ("yolov8n", "Ultralytics' ghost", "ghost", "lite")) -> Iterator[Any]:
    for label in only:
        yield label, named(MODELS[label], files), THREE, SIXTY


def long(files: Path) -> Iterator[Any]:
    for label in ("yolov8n", "lite"):
        yield f"{label}, 200 epochs", MODELS[label], (0, 1), LONG


def sgd(files: Path) -> Iterator[Any]:
    for label, model in MODELS.items():
        yield f"{label} with SGD", named(model, files), THREE, {**SIXTY, **SGD}


def families(files: Path) -> Iterator[Any]:
    """Lite and stock of the other families, and of larger scales with one seed."""
    for label in ("yolo11n", "yolo11n-lite", "yolo26n", "yolo26n-lite"):
        yield label, f"{label}.yaml", THREE, {**SIXTY, **SGD}
    for label in ("yolov8s", "yolov8s-lite", "yolov8m-lite"):
        yield label, f"{label}.yaml", (0,), {**SIXTY, **SGD}


def others(files: Path) -> Iterator[Any]:
    for label in ("dwconv", "shuffle", "se"):
        yield label, MODELS[label], (0,), SIXTY


DESIGNS = (
    "base", "reg1", "reg8", "depthwise-8", "head3", "shared-reg8", "merged-reg8", "depthwise-8-shared-reg8",
    "depthwise-8-merged-reg8", "stage3-depthwise-8-shared3-reg8", "stage3-depthwise-8-head3-reg1",
    "stage3-depthwise-8-merged3-reg12", "stage3-depthwise-8-neck128-merged3-reg12",
)  # fmt: skip
"""Of lite_designs.py, those that are trained."""

KEPT = (
    "base", "merged-reg8", "shared-reg8", "depthwise-8-merged-reg8", "stage3-depthwise-8-merged3-reg12",
    "stage3-depthwise-8-neck128-merged3-reg12",
)  # fmt: skip
"""Those trained with further seeds."""


def designs(files: Path) -> Iterator[Any]:
    """Variants of lite, beside `lite with SGD`."""
    from lite_designs import write

    files.mkdir(parents=True, exist_ok=True)
    for design in DESIGNS:
        seeds = THREE if design in KEPT else (0,)
        yield f"lite {design}", str(write(design, files)), seeds, {**SIXTY, **SGD}


def blocks(files: Path) -> Iterator[Any]:
    """First cut of the blocks: half the epochs, one seed, yolov8n beside them."""
    thirty = {**SIXTY, **SGD, "epochs": 30}
    yield "yolov8n", MODELS["yolov8n"], (0,), thirty
    for label, parts in BLOCKS.items():
        yield label, str(mixed(parts, files)), (0,), thirty


def best_blocks(files: Path) -> Iterator[Any]:
    """The five that were best in the first cut, gates and inner blocks, at full length, beside `yolov8n with SGD`."""
    for label in BEST:
        yield label, str(mixed(BLOCKS[label], files)), THREE, {**SIXTY, **SGD}


def best_blocks_26(files: Path) -> Iterator[Any]:
    """The same in yolo26n, one seed."""
    yield "yolo26n", "yolo26n.yaml", (0,), {**SIXTY, **SGD}
    for label in BEST:
        yield f"{label}, yolo26n", str(mixed(BLOCKS[label], files, "yolo26")), (0,), {**SIXTY, **SGD}


def mixed(parts: str, files: Path, base: str = "yolov8") -> Path:
    """The base with these parts inside its stages at strides 16 and 32, but for those with attention."""
    lines = stock_file(f"{base}.yaml").read_text(encoding="utf-8").splitlines()
    stage = re.compile(r"(C2f|C3k2), \[(512|1024)(?:, (True))?\]")
    for number, line in enumerate(lines):
        lines[number] = stage.sub(lambda m: f"plugins.{m[1]}, [{m[2]}, {bool(m[3])}, {parts}]", line)
    name = re.sub(r"\W+", "-", parts.lower()).strip("-")
    file = files / f"{base}n-{name}.yaml"
    files.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def named(model: str, files: Path) -> str:
    """A path for what has another name than the pack's file of that name."""
    if not model.startswith("ultralytics/"):
        return model
    files.mkdir(parents=True, exist_ok=True)
    file = files / "yolov8n-ultralytics-ghost.yaml"
    file.write_bytes(stock_file(model.split("/")[1]).read_bytes())
    return str(file)


SERIES = {
    "base": base,
    "long": long,
    "sgd": sgd,
    "families": families,
    "others": others,
    "blocks": blocks,
    "best-blocks": best_blocks,
    "best-blocks-26": best_blocks_26,
    "designs": designs,
}
