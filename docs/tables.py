"""Writes what the READMEs and docs/ show of the code: between `<!-- NAME -->` and `<!-- /NAME -->`, and docs/blocks.md.

Usage: python docs/tables.py [--check]

With --check nothing is written: what is stale is named, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import re
import runpy
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path

from yolo_plugins import BLOCKS, model_yamls
from yolo_plugins.blocks.counting import parameters
from yolo_plugins.blocks.registry import PACKAGE, PREFIX, Spec, spec_of
from yolo_plugins.drawing.cards import page
from yolo_plugins.files import write_text
from yolo_plugins.inspection.block_costs import compare, compare_all, measurable
from yolo_plugins.inspection.listing import Entry
from yolo_plugins.inspection.listing import blocks as listed
from yolo_plugins.models.building import build, gflops
from yolo_plugins.rows.description import read, rows_of
from yolo_plugins.rows.yaml_files import stock_file, with_scale
from yolo_plugins.tables import change, markdown, table, with_part

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("conv", "stage", "same")
"""Kinds of rows in the order of the table."""


def blocks() -> str:
    """Every block in a few words, with its cost beside what it stands for; then the heads and the networks' stages."""
    own = {entry.name: entry for entry in listed() if BLOCKS[entry.name].__module__ == PACKAGE}
    single = [name for kind in KINDS for name in own if own[name].spec.row == kind and name in measurable()]
    heading = ["block", "what it is", "source", "params", "M MACs", "of plain"]
    lines = markdown([heading, *(block(own[name]) for name in single)], [3, 4, 5])

    def named(chosen: Callable[[Spec], bool]) -> str:
        return ", ".join(f"`{name}`" for name, entry in own.items() if chosen(entry.spec))

    return (
        f"{lines}\n\nHeads: {named(lambda spec: bool(spec.task))}. "
        f"Of the maps of several rows: {named(lambda spec: spec.row == 'inputs' and not spec.task)}. "
        f"Stages of whole networks: {named(lambda spec: spec.row == 'network' and not spec.maps)}. "
        f"Whole networks, which give a list of maps: {named(lambda spec: spec.maps)}."
    )


def block(entry: Entry) -> list[str]:
    """A block's line: its example, the first words about it without the paper, the paper, its cost."""
    ours, *plain = compare(entry.name, 32, 0, **{"c1": 64, **entry.spec.example})
    share = f"{100 * ours['MACs'] / plain[0]['MACs']:.0f} % of {plain[0]['module'].split()[1]}" if plain else ""
    words = re.sub(r" \([^()]*\d{4}\.\d{5}[^()]*\)", "", entry.summary).split("; ")[0]
    source = entry.spec.source.replace(",", "")
    return [f"`{ours['module']}`", words, source, f"{ours['params']:,}", f"{ours['MACs'] / 1e6:.3g}", share]


def models(on_networks: bool) -> str:
    """Detectors and segmenters of scale n beside the stock ones: those made of blocks, or those on a whole network."""
    names = [name for name in model_yamls.names() if re.fullmatch(r"yolov8-[^-]+\.yaml", name)]
    ours = [with_scale(name, "n") for name in names if _on_network(name) == on_networks]
    rows = [["model", "params", "GFLOPs", "beside stock", "-seg: params", "GFLOPs", "beside stock"]]
    rows.append(["yolov8n", *model("yolov8n.yaml"), *model("yolov8n-seg.yaml")])
    if not on_networks:
        theirs = stock_file("yolov8-ghost.yaml").with_name("yolov8n-ghost.yaml")
        rows.append([f"Ultralytics' own {theirs.stem}", *model(str(theirs)), "", "", ""])
    rows += ([Path(name).stem, *model(name), *model(name.replace(".yaml", "-seg.yaml"))] for name in ours)
    return markdown(rows, [1, 2, 4, 5])


def lite() -> str:
    """Parameters and GFLOPs of lite at scale n for every family and task, as the heads of the YAMLs say."""
    tasks = {"detect": "", "segment": "-seg", "pose": "-pose", "obb": "-obb", "classify": "-cls"}
    rows = [["", *tasks]]
    for family in ("yolov8", "yolo11", "yolo26"):
        cells = []
        for task in tasks.values():
            text = (model_yamls.FOLDER / f"{family}-lite{task}.yaml").read_text(encoding="utf-8")
            found = re.search(r"^  n: .*# ([\d,]+) parameters, ([\d.]+) GFLOPs$", text, re.M)
            assert found, f"{family}-lite{task}.yaml says no figures"
            cells.append(f"{found[1]}, {found[2]}")
        rows.append([f"`{family}n-lite`", *cells])
    return markdown(rows, [])


def attention() -> str:
    """Lite of the families that attend, fused, beside stock and edits of it: parameters and GFLOPs at scale n."""
    rows = [["", "yolo26n: params", "GFLOPs", "yolo11n: params", "GFLOPs"]]
    edits = {
        "stock": None,
        "lite": [],
        "plain 3×3 at strides 8 and 16": [
            (r"plugins\.DWConv, \[(256|512), 3, 2\](\] # [35]-)", r"plugins.ConvBNAct, [\1, 3, 2]\2")
        ],
        "attention as in stock": [
            (r"plugins\.RepGhostAttention, \[1024, 3\](.*was C2PSA)", r"C2PSA, [1024]\1"),
            (r"plugins\.RepGhostAttention, \[1024, 3\](.*was C3k2)", r"C3k2, [1024, True, 0.5, True]\1"),
        ],
        "no attention: `RepGhostStage`": [(r"plugins\.RepGhostAttention", "plugins.RepGhostStage")],
    }
    for words, replaced in edits.items():
        cells = [words]
        for family in ("yolo26", "yolo11"):
            with tempfile.TemporaryDirectory() as folder:
                name = f"{family}n.yaml"
                if replaced is not None:
                    text = (model_yamls.FOLDER / f"{family}-lite.yaml").read_text(encoding="utf-8")
                    for pattern, new in replaced:
                        text = re.sub(pattern, new, text)
                    name = str(Path(folder, f"{family}n-lite.yaml"))
                    Path(folder, f"{family}-lite.yaml").write_text(text, encoding="utf-8")
                network = build(name).eval().fuse(verbose=False)
            cells += [f"{parameters(network):,}", f"{gflops(network, 640):.2f}"]
        rows.append(cells)
    return markdown(rows, [1, 2, 3, 4])


def model(name: str) -> list[str]:
    """Cells of a model: parameters and GFLOPs, and their change from the stock model's."""
    stock = "yolov8n-seg.yaml" if name.endswith("-seg.yaml") else "yolov8n.yaml"
    (params, flops), plain = counted(name), counted(stock)
    beside = "" if name == stock else f"{change(params, plain[0])} / {change(flops, plain[1])}"
    return [f"{params:,}", f"{flops:.1f}", beside]


@cache
def counted(name: str) -> tuple[int, float]:
    """Parameters of a model, and GFLOPs at 640×640."""
    network = build(name)
    return parameters(network), gflops(network, 640)


def _on_network(name: str) -> bool:
    specs = [spec_of(BLOCKS.get(row[2].removeprefix(PREFIX))) for row in rows_of(read(model_yamls.FOLDER / name))]
    return any(spec is not None and spec.row == "network" for spec in specs)


def costs() -> str:
    """What `yolo-plugins cost all 48 --k 3 --runs 0` counts; times are left out, as they are one machine's."""
    rows, _ = compare_all(32, 0, {"c1": 48, "c2": 48, "k": 3})
    return table([{key: value for key, value in row.items() if key not in ("ms", "ms ×")} for row in rows], "markdown")


def summary(model: str = "model") -> str:
    """How many times as fast the detectors are, as docs/speed.md has it, and mAP50-95, as docs/accuracy.md has it."""
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    rows = [[model, "ONNX Runtime", "OpenVINO", "NCNN", "mAP50-95"]]
    for stem, name in ACCURACY["MODELS"].items():
        if found := re.search(rf"^\| {re.escape(name)} \| (.* ms.*) \|$", page, re.M):
            speeds = [re.search(r"[\d.]+×", cell) for cell in found[1].split(" | ")]
            seeds = ACCURACY["runs"]("bccd")[stem, 60, "SGD"]
            score = ACCURACY["spread"](ACCURACY["scores"](seeds, "val"))
            rows.append([name, *(speed[0] if speed else "1" for speed in speeds), str(score)])
    return markdown(rows, [1, 2, 3])


ACCURACY = runpy.run_path(str(ROOT / "docs" / "accuracy_tables.py"))
PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"summary": summary},
    "README.zh-CN.md": {"summary": partial(summary, "模型")},
    "docs/rows.md": {"blocks": blocks},
    "docs/models.md": {"models": partial(models, False), "lite": lite, "summary": summary},
    "docs/networks.md": {"models": partial(models, True), "costs": costs},
    "docs/accuracy.md": ACCURACY["PARTS"],
    "docs/speed.md": {"attention": attention},
    "docs/swap.md": {"duel": ACCURACY["duel"]},
}
"""What is made, by file and mark."""


def stale() -> Iterator[tuple[str, str]]:
    """Files whose text is not what the code gives, and the text that they should have."""
    for file, parts in PARTS.items():
        text = before = (ROOT / file).read_text(encoding="utf-8")
        for name, make in parts.items():
            try:
                text = with_part(text, name, make())
            except ValueError as error:
                raise ValueError(f"{file}: {error}") from error
        if text != before:
            yield file, text
    drawings = "docs/blocks.md"
    if (ROOT / drawings).read_text(encoding="utf-8") != page():
        yield drawings, page()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only name what is stale")
    args = parser.parse_args(argv)
    found = dict(stale())
    for file, text in found.items():
        if not args.check:
            write_text(ROOT / file, text)
        print(f"{file} {'is stale: run python docs/tables.py' if args.check else 'written'}")
    return int(args.check and bool(found))


if __name__ == "__main__":
    sys.exit(main())
