"""What yolov8-lite.yaml was chosen from: variants of it, timed in turns with stock yolov8n.

Usage: python tests/benchmarks/lite_designs.py [--runtime openvino] [--rounds 20] [--only NAME ...] [--keep FOLDER]
"""

import re
import tempfile
from pathlib import Path
from statistics import median

import torch
from latency import deployed, shown, timing_parser
from yolo_plugins.demo.search import timed
from yolo_plugins.model_yamls import FOLDER
from yolo_plugins.rows.yaml_files import with_scale

STAGE = r"plugins\.RepGhostStage, \[(\d+)\]"
HEAD = r"plugins\.LiteDetect, \[nc\]"
STOCK_STAGE = r"C2f, [\1, True, 1, 0.25]"

DESIGNS: dict[str, list[tuple[str, str]]] = {
    "as it is": [],
    "RepGhost 3×3 everywhere": [(STAGE, r"plugins.RepGhostStage, [\1, 3]")],
    "RepGhost 3×3 at 128 and 256 channels, strides 4 and 8": [
        (r"plugins\.RepGhostStage, \[(128|256)\]", r"plugins.RepGhostStage, [\1, 3]")
    ],
    "head without distributions (reg_max 1)": [(HEAD, "plugins.LiteDetect, [nc, 1]")],
    "head of 3×3": [(HEAD, "plugins.LiteDetect, [nc, 16, 3]")],
    "stock head": [(HEAD, "Detect, [nc]")],
    "SiLU": [(r"^nc:", "activation: torch.nn.SiLU()\nnc:")],
    "plain 3×3 at strides 32 and in the neck too": [(r"plugins\.DWConv, ", "plugins.ConvBNAct, ")],
    "depthwise from stride 8": [(r"plugins\.ConvBNAct, \[(256|512), ", r"plugins.DWConv, [\1, ")],
    "C2f of plain 3×3 at a quarter of the width": [(STAGE, STOCK_STAGE), (r"^nc:", "activation: torch.nn.ReLU()\nnc:")],
    "C2fDW": [(STAGE, r"plugins.C2fDW, [\1]"), (r"^nc:", "activation: torch.nn.ReLU()\nnc:")],
    "C2fGhost": [(STAGE, r"plugins.C2fGhost, [\1]"), (r"^nc:", "activation: torch.nn.ReLU()\nnc:")],
}
"""By name, what is replaced in the text of the YAML."""


def main() -> None:
    parser = timing_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=DESIGNS, default=list(DESIGNS), metavar="NAME")
    parser.add_argument("--keep", type=Path, help="write the YAMLs into this folder, to train them")
    args = parser.parse_args()
    from ultralytics.utils.torch_utils import get_flops

    with tempfile.TemporaryDirectory() as name:
        folder = args.keep or Path(name)
        models = {"yolov8n": "yolov8n.yaml"} | {design: str(write(design, folder)) for design in args.only}
        networks = {name: deployed(model) for name, model in models.items()}
        image = torch.rand(1, 3, args.imgsz, args.imgsz)
        times = timed({name: (network, [image]) for name, network in networks.items()}, args)
    print(f"| model | GFLOPs | ms in {args.runtime} | times as fast |\n|---|--:|--:|--:|")
    for name, network in networks.items():
        ratio = shown(times["yolov8n"], times[name])
        print(f"| {name} | {get_flops(network):.1f} | {median(times[name]):.1f} | {ratio} |")


def write(design: str, folder: Path) -> Path:
    """The YAML of a design, at scale n."""
    text = (FOLDER / "yolov8-lite.yaml").read_text(encoding="utf-8")
    for pattern, replacement in DESIGNS[design]:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        assert count, f"{design}: {pattern} is nowhere in yolov8-lite.yaml"
    file = folder / f"yolov8-lite-{list(DESIGNS).index(design)}.yaml"
    file.write_text(text, encoding="utf-8")
    return folder / with_scale(file.name, "n")


if __name__ == "__main__":
    main()
