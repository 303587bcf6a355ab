"""Which block at which row is worth its time on this machine: a latency table, and the best model within a budget.

    python -m yolo_plugins.demo.search yolov8n.yaml --runtime openvino --budget 0.4
    python -m yolo_plugins.demo.search best.pt --images folder/ --runtime onnx --budget 0.4 -o picked.yaml

Every row that a block can stand for is exported and timed alone, the candidates in turns with the stock row. What a
candidate is worth is told by a trained checkpoint and images without labels: the share of the row's variance that it
explains after a short transplant. Without them it is a guess, the root of the share of the row's multiply-adds that it
keeps. The pick has the greatest worth, summed over the rows, within the budget, a share of the stock model's time. Rows
alone pay for input and output too, so only what one saves beside the stock row is counted. The pick is written as a
model YAML and timed as a whole beside stock.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from timeit import repeat
from typing import Any

import torch
from torch import nn
from yolo_plugins import Schedule, transplant
from yolo_plugins.blocks.counting import multiply_adds
from yolo_plugins.comparing import ratio
from yolo_plugins.files import write_text
from yolo_plugins.models.building import load, yolo
from yolo_plugins.rows.description import image_channels
from yolo_plugins.swapping.recipes import LITE_HEADS, Recipe, Rule
from yolo_plugins.swapping.row_edits import RowEdit, apply_edits
from yolo_plugins.tables import columns
from yolo_plugins.training.images import find_images, image_batches
from yolo_plugins.training.norm_statistics import measured_norms
from yolo_plugins.transplanting.checkpoint import one_scale, rebuilt, recipe_edits
from yolo_plugins.transplanting.recording import recorded

RELU = {"act": "relu"}
CANDIDATES: dict[str, tuple[Rule, ...]] = {
    "Ghost": (Rule("stage", "C2fGhost", 1), Rule("conv", "GhostConv", 1)),
    "depthwise": (Rule("stage", "C2fDW", 1, options=RELU), Rule("conv", "DWConv", 1)),
    "shuffle": (Rule("stage", "C2fShuffle", 1, options=RELU), Rule("conv", "GroupConv", 1, options={"g": 4})),
    "RepGhost 3×3": (Rule("stage", "RepGhostStage", 1, options={"cheap_k": 3}),),
    "RepGhost 5×5": (Rule("stage", "RepGhostStage", 1), Rule("stage", "RepGhostAttention", 1)),
    "plain, ReLU": (Rule("conv", "ConvBNAct", 1),),
    "light head": LITE_HEADS,
}
"""What is tried: a name, and the blocks that go by it. Add your own."""

STOCK = "stock"
Run = Callable[[], object]


@dataclass(frozen=True)
class Option:
    """One candidate at one row: milliseconds, worth (the stock row's is 1), and the edit that puts it there."""

    name: str
    ms: float
    worth: float
    edit: RowEdit | None = None


Table = dict[int, list[Option]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a stock model YAML with its scale letter, or a trained .pt of one")
    parser.add_argument("--images", type=Path, help="a folder, for a trained .pt")
    parser.add_argument("--steps", type=int, default=120, help="that each candidate is taught for")
    parser.add_argument("--runtime", choices=sorted(RUNTIMES), default="onnx")
    parser.add_argument("--budget", type=float, default=0.4, help="share of the stock model's time")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("-o", "--output", type=Path, default=Path("picked.yaml"))
    args = parser.parse_args()
    if not 0 < args.budget <= 1:
        parser.error(f"--budget {args.budget} must be above 0 and at most 1")
    if (args.images is None) == args.model.endswith(".pt"):
        parser.error("a trained .pt and --images go together")
    try:
        search(args)
    except (OSError, ValueError) as error:
        sys.exit(f"{error}")


def search(args: argparse.Namespace) -> None:
    """Measure, pick, write and check; prints what it finds.

    Raises:
        ValueError: a budget that even the fastest blocks exceed.
    """
    base = load(args.model)[0].eval() if args.model.endswith(".pt") else settled(yolo(args.model).model)
    found = {
        name: {edit.row: edit for edit in recipe_edits(base, Recipe("", "", rules)) if edit.block}
        for name, rules in CANDIDATES.items()
    }
    light = {name: _build(base, edits.values()) for name, edits in found.items()}
    worth = _taught(base, light, found, args) if args.images else {}
    models = {STOCK: base, **light}
    deployed = {name: _deployed(model) for name, model in models.items()}
    whole = median(timed({STOCK: (deployed[STOCK], [_image(base, args.imgsz)])}, args)[STOCK])
    table: Table = {}
    for i, inputs in _inputs(base, args.imgsz).items():
        layers = {name: model.model[i] for name, model in models.items() if name == STOCK or i in found[name]}
        if len(layers) == 1:
            continue
        rows = {name: deployed[name].model[i] for name in layers}
        alone = {name: (_OnMaps(row) if len(inputs) > 1 else row, inputs) for name, row in rows.items()}
        times = timed(alone, args)
        macs = {name: multiply_adds(layer, inputs if len(inputs) > 1 else inputs[0]) for name, layer in layers.items()}
        kept = {name: min(1.0, macs[name] / macs[STOCK]) for name in layers}
        table[i] = [
            Option(name, median(times[name]), worth.get((name, i), kept[name] ** 0.5), found.get(name, {}).get(i))
            for name in layers
        ]
        print(f"row {i} ({type(base.model[i]).__name__}) measured", flush=True)
    rest = whole - sum(row[0].ms for row in table.values())
    chosen = pick(table, args.budget * whole, rest)
    print(render(table, chosen, args.runtime))
    _write_and_check(base, chosen, rest, args)


def pick(table: Table, budget: float, rest: float = 0.0) -> dict[int, Option]:
    """One option a row, worth the most together, within a time in milliseconds; `rest` is what the others add to it.

    Raises:
        ValueError: even the fastest options take longer.
    """
    # The best worth for each time spent so far, in hundredths of a millisecond: exact but for that rounding.
    best: dict[int, tuple[float, list[Option]]] = {0: (0.0, [])}
    for row in table.values():
        longer: dict[int, tuple[float, list[Option]]] = {}
        for spent, (worth, taken) in best.items():
            for option in row:
                total = spent + round(100 * option.ms)
                if total <= 100 * (budget - rest) and worth + option.worth > longer.get(total, (-1.0, []))[0]:
                    longer[total] = (worth + option.worth, [*taken, option])
        best = longer
    if not best:
        least = rest + sum(min(option.ms for option in row) for row in table.values())
        raise ValueError(
            f"the fastest blocks take {least:.2f} ms together, more than the budget of {budget:.2f} ms: "
            "give a larger --budget"
        )
    _, taken = max(best.values(), key=lambda found: found[0])
    return dict(zip(table, taken, strict=True))


def render(table: Table, chosen: dict[int, Option], runtime: str) -> str:
    """Milliseconds and worth of every candidate, a line a row; the chosen ones starred."""
    names = list(dict.fromkeys(option.name for row in table.values() for option in row))
    lines = [[f"row, ms in {runtime} / worth", *names]]
    for i, row in table.items():
        cells = {o.name: f"{o.ms:.2f} / {o.worth:.2f}{'*' if chosen[i] is o else ' '}" for o in row}
        lines.append([str(i), *(cells.get(name, "") for name in names)])
    return columns(lines, right=range(1, len(names) + 1))


def timed(layers: dict[str, tuple[nn.Module, list[torch.Tensor]]], args: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds of each layer, round by round in turns, the best of three a round."""
    times: dict[str, list[float]] = {name: [] for name in layers}
    with tempfile.TemporaryDirectory(prefix="search-") as folder:
        runs: dict[str, Run] = {}
        for k, (name, (layer, inputs)) in enumerate(layers.items()):
            file = str(Path(folder) / f"{k}.onnx")
            names = [f"x{j}" for j in range(len(inputs))]
            torch.onnx.export(layer, tuple(inputs), file, input_names=names, opset_version=17, dynamo=False)
            runs[name] = RUNTIMES[args.runtime](file, {n: x.numpy() for n, x in zip(names, inputs, strict=True)}, args)
        for number in range(args.rounds + 2):
            for name, run in runs.items():
                best = 1000 * min(repeat(run, repeat=3, number=1))
                if number > 1:
                    times[name].append(best)
    return times


def _onnx(file: str, inputs: dict[str, Any], args: argparse.Namespace) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.add_session_config_entry("session.force_spinning_stop", "1")  # or one candidate slows the next
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)


def _openvino(file: str, inputs: dict[str, Any], args: argparse.Namespace) -> Run:
    import openvino

    hints = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(file, "CPU", {**hints, "INFERENCE_NUM_THREADS": args.threads})
    return lambda: model(inputs)


RUNTIMES: dict[str, Callable[[str, dict[str, Any], argparse.Namespace], Run]] = {"onnx": _onnx, "openvino": _openvino}


class _OnMaps(nn.Module):
    """A row of several inputs, which takes a list, as a network that takes them one by one."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *maps: torch.Tensor) -> Any:
        return self.layer(list(maps))


def settled(network: Any) -> Any:
    """A network without training whose batch norms have seen noise, so that its maps do not fade to nothing."""
    with torch.no_grad(), measured_norms(network):
        network(_image(network, 160, 4))
    return network


def _image(network: Any, imgsz: int, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, image_channels(network.yaml), imgsz, imgsz)


def _build(base: Any, edits: Iterable[RowEdit]) -> Any:
    """The stock model with rows edited, at its scale."""
    description = one_scale(copy.deepcopy(base.yaml))
    apply_edits(description, edits)
    torch.manual_seed(0)
    return settled(rebuilt(base, description))


def _taught(base: Any, light: dict[str, Any], found: dict[str, dict[int, RowEdit]], args: argparse.Namespace) -> Any:
    """Share of the stock row's variance that each candidate explains after a short lesson, by name and row."""
    worth: dict[tuple[str, int], float] = {}
    for name, model in light.items():
        batches = image_batches(find_images(args.images), min(args.imgsz, 320), 8)
        schedule = Schedule(block_steps=args.steps, joint_steps=0, recalibration=8)
        report = transplant(base, copy.deepcopy(model), batches, schedule=schedule)
        for i in found[name]:
            shares = [max(0.0, v) for part, v in report.alone.items() if part.split(".")[1] == str(i)]
            worth[name, i] = sum(shares) / len(shares)
        taught = [worth[name, i] for i in found[name]]
        print(f"{name} taught: {sum(taught) / len(taught):.0%} of a row explained on average", flush=True)
    return worth


def _inputs(model: Any, imgsz: int) -> dict[int, list[torch.Tensor]]:
    """What each row is given for one image, by its number."""
    with torch.no_grad():
        record = recorded(model, _image(model, imgsz), dict(model.model.named_children()))
    return {int(i): x if isinstance(x, list) else [x] for i, ((x,), _) in record.items()}


def _deployed(model: Any) -> Any:
    """A copy as it is exported: batch norms folded, a head giving boxes and scores alone."""
    model = copy.deepcopy(model).fuse(verbose=False)
    model.model[-1].export, model.model[-1].format = True, "onnx"
    return model


def _write_and_check(base: Any, chosen: dict[int, Option], rest: float, args: argparse.Namespace) -> None:
    """The pick as a YAML, and its time as a whole model beside stock's."""
    import yaml

    picked = _build(base, [option.edit for option in chosen.values() if option.edit is not None])
    rows = {k: v for k, v in picked.yaml.items() if k not in ("yaml_file", "scale")}
    write_text(args.output, f"# yolo_plugins.demo.search {args.model}\n{yaml.safe_dump(rows, sort_keys=False)}")
    image = [_image(base, args.imgsz)]
    times = timed({STOCK: (_deployed(base), image), "picked": (_deployed(picked), image)}, args)
    expected = rest + sum(option.ms for option in chosen.values())
    found = ratio(times[STOCK], times["picked"])
    interval = f" ({found.low:.2f}–{found.high:.2f})" if found.low is not None else ""
    print(
        f"whole model, {args.runtime}, {args.imgsz} px: stock {median(times[STOCK]):.1f} ms, "
        f"picked {median(times['picked']):.1f} ms ({expected:.1f} expected), {found.median:.2f}× as fast{interval}\n"
        f"written: {args.output}"
    )


if __name__ == "__main__":
    main()
