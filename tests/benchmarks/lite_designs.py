"""What yolov8-lite.yaml was chosen from: designs of it, written as model YAMLs or timed in turns with stock yolov8n.

Usage: python tests/benchmarks/lite_designs.py --write FOLDER
       python tests/benchmarks/lite_designs.py [--runtime openvino] [--rounds 20] [--only NAME ...]

FOLDER/yolov8-lite-NAME.yaml trains as any other model: `yolo train model=FOLDER/yolov8n-lite-NAME.yaml`. Channels of
every design are in packs of 16 from scale n on, as lite's are.
"""

import argparse
import re
import tempfile
from pathlib import Path
from statistics import median

import torch
from latency import deployed, shown, timing_parser
from yolo_plugins.comparing import timed
from yolo_plugins.files import write_text
from yolo_plugins.rows.yaml_files import with_scale

BASE = Path(__file__).with_name("yolov8-lite.yaml")
"""lite as it was first: everything here is an edit of it."""
Edit = tuple[str, str]
"""A regular expression in the text of the YAML, and what takes its place."""

STAGE = r"plugins\.RepGhostStage, \[(\d+)\]"
STOCK_STAGE = r"C2f, [\1, True, 1, 0.25]"
RELU: Edit = (r"^nc:", "activation: torch.nn.ReLU()\nnc:")
STAGES_OF_3: Edit = (STAGE, r"plugins.RepGhostStage, [\1, 3]")
DEPTHWISE_16: Edit = (r"plugins\.ConvBNAct, \[512, ", "plugins.DWConv, [512, ")
DEPTHWISE_8: Edit = (r"plugins\.ConvBNAct, \[(256|512), ", r"plugins.DWConv, [\1, ")
DEEPER: Edit = (r"-1, 6, plugins\.RepGhostStage", "-1, 9, plugins.RepGhostStage")


def head(reg_max: int = 16, k: int = 5, form: str = "separate") -> Edit:
    return r"plugins\.LiteDetect, \[nc\]", f'plugins.LiteDetect, [nc, {reg_max}, {k}, "relu", "{form}"]'


def neck_at_8(channels: int) -> Edit:
    return r"plugins\.RepGhostStage, \[256\]\] # 15", f"plugins.RepGhostStage, [{channels}]] # 15"


DESIGNS: dict[str, tuple[str, list[Edit]]] = {
    "base": ("as it is", []),
    # Stages.
    "stage3": ("RepGhost 3×3 everywhere", [STAGES_OF_3]),
    "stage3-shallow": (
        "RepGhost 3×3 at 128 and 256 channels, strides 4 and 8",
        [(r"plugins\.RepGhostStage, \[(128|256)\]", r"plugins.RepGhostStage, [\1, 3]")],
    ),
    "c2f-plain": ("C2f of plain 3×3 at a quarter of the width", [(STAGE, STOCK_STAGE), RELU]),
    "c2f-dw": ("C2fDW", [(STAGE, r"plugins.C2fDW, [\1]"), RELU]),
    "c2f-ghost": ("C2fGhost", [(STAGE, r"plugins.C2fGhost, [\1]"), RELU]),
    "silu": ("SiLU", [(r"^nc:", "activation: torch.nn.SiLU()\nnc:")]),
    "relu-sppf": ("ReLU in SPPF too", [RELU]),
    # Convolutions between stages, and the neck.
    "plain-32": (
        "plain 3×3 at stride 32 and in the neck too",
        [(r"plugins\.DWConv, ", "plugins.ConvBNAct, ")],
    ),
    "depthwise-16": ("depthwise from stride 16 on", [DEPTHWISE_16]),
    "depthwise-8": ("depthwise from stride 8 on", [DEPTHWISE_8]),
    "depthwise-8-deeper": ("depthwise from stride 8 on, a module more at strides 8 and 16", [DEPTHWISE_8, DEEPER]),
    "neck192": ("192 channels, of 256, at stride 8 of the neck", [neck_at_8(192)]),
    "neck128": ("128 channels, of 256, at stride 8 of the neck", [neck_at_8(128)]),
    # Heads.
    "stock-head": ("stock head", [(r"plugins\.LiteDetect, \[nc\]", "Detect, [nc]")]),
    "reg8": ("8 distances in a distribution (reg_max 8)", [head(8)]),
    "reg1": ("no distributions (reg_max 1)", [head(1)]),
    "head3": ("head of 3×3", [head(k=3)]),
    "shared": ("one depthwise layer for boxes and classes", [head(form="shared")]),
    "merged": ("one branch for boxes and classes", [head(form="merged")]),
    "zero": ("outputs alone (ZeroHead)", [head(form="zero")]),
    # Together.
    "head3-reg8": ("head of 3×3, reg_max 8", [head(8, 3)]),
    "head3-reg1": ("head of 3×3, reg_max 1", [head(1, 3)]),
    "shared-reg8": ("shared depthwise layer, reg_max 8", [head(8, form="shared")]),
    "merged-reg8": ("merged branch, reg_max 8", [head(8, form="merged")]),
    "merged-reg12": ("merged branch, reg_max 12", [head(12, form="merged")]),
    "merged3-reg12": ("merged branch of 3×3, reg_max 12", [head(12, 3, "merged")]),
    "merged-reg1": ("merged branch, reg_max 1", [head(1, form="merged")]),
    "depthwise-16-reg8": ("depthwise from 16 on, reg_max 8", [DEPTHWISE_16, head(8)]),
    "depthwise-16-shared-reg8": ("depthwise from 16 on, shared, reg_max 8", [DEPTHWISE_16, head(8, form="shared")]),
    "depthwise-8-reg8": ("depthwise from 8 on, reg_max 8", [DEPTHWISE_8, head(8)]),
    "depthwise-8-shared-reg8": ("depthwise from 8 on, shared, reg_max 8", [DEPTHWISE_8, head(8, form="shared")]),
    "depthwise-8-merged-reg8": ("depthwise from 8 on, merged, reg_max 8", [DEPTHWISE_8, head(8, form="merged")]),
    "depthwise-8-merged-reg12": ("depthwise from 8 on, merged, reg_max 12", [DEPTHWISE_8, head(12, form="merged")]),
    "depthwise-8-head3-reg1": ("depthwise from 8 on, head of 3×3, reg_max 1", [DEPTHWISE_8, head(1, 3)]),
    "depthwise-8-deeper-shared-reg8": (
        "depthwise from 8 on, a module more there, shared, reg_max 8",
        [DEPTHWISE_8, DEEPER, head(8, form="shared")],
    ),
    "stage3-shared3-reg8": ("3×3 everywhere, shared, reg_max 8", [STAGES_OF_3, head(8, 3, "shared")]),
    "stage3-depthwise-8-shared3-reg8": (
        "3×3 everywhere, depthwise from 8 on, shared, reg_max 8",
        [STAGES_OF_3, DEPTHWISE_8, head(8, 3, "shared")],
    ),
    "stage3-merged3-reg12": ("3×3 everywhere, merged, reg_max 12", [STAGES_OF_3, head(12, 3, "merged")]),
    "stage3-depthwise-8-merged3-reg12": (
        "3×3 everywhere, depthwise from 8 on, merged, reg_max 12",
        [STAGES_OF_3, DEPTHWISE_8, head(12, 3, "merged")],
    ),
    "stage3-depthwise-8-neck192-merged3-reg12": (
        "3×3 everywhere, depthwise from 8 on, 192 channels at stride 8 of the neck, merged, reg_max 12",
        [neck_at_8(192), STAGES_OF_3, DEPTHWISE_8, head(12, 3, "merged")],
    ),
    "stage3-depthwise-8-neck128-merged3-reg12": (
        "3×3 everywhere, depthwise from 8 on, 128 channels at stride 8 of the neck, merged, reg_max 12",
        [neck_at_8(128), STAGES_OF_3, DEPTHWISE_8, head(12, 3, "merged")],
    ),
    "stage3-depthwise-8-merged3-reg8": (
        "3×3 everywhere, depthwise from 8 on, merged, reg_max 8",
        [STAGES_OF_3, DEPTHWISE_8, head(8, 3, "merged")],
    ),
    "stage3-depthwise-8-head3-reg1": (
        "3×3 everywhere, depthwise from 8 on, reg_max 1",
        [STAGES_OF_3, DEPTHWISE_8, head(1, 3)],
    ),
    "stage3-depthwise-8-merged3-reg1": (
        "3×3 everywhere, depthwise from 8 on, merged, reg_max 1",
        [STAGES_OF_3, DEPTHWISE_8, head(1, 3, "merged")],
    ),
}
"""By name, what it is and what is replaced in the text of the YAML."""


def main() -> None:
    parser = timing_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=DESIGNS, default=list(DESIGNS), metavar="NAME")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write the YAMLs there, to train them; no timing")
    args = parser.parse_args()
    if args.write:
        args.write.mkdir(parents=True, exist_ok=True)
        for design in args.only:
            print(write(design, args.write))
    else:
        compare(args)


def compare(args: argparse.Namespace) -> None:
    """Times of the designs beside stock, as a table."""
    from ultralytics.utils.torch_utils import get_flops

    with tempfile.TemporaryDirectory() as folder:
        models = {"yolov8n": "yolov8n.yaml"} | {name: str(write(name, Path(folder))) for name in args.only}
        networks = {n: deployed(model, runtime=args.runtime, imgsz=args.imgsz) for n, model in models.items()}
        image = torch.rand(1, 3, args.imgsz, args.imgsz)
        modules = {name: (network, [image]) for name, network in networks.items()}
        times = timed(modules, args.runtime, args.threads, args.rounds)
    print(f"| model | | GFLOPs | ms in {args.runtime} | times as fast |\n|---|---|--:|--:|--:|")
    for name, network in networks.items():
        ratio = shown(times["yolov8n"], times[name])
        title = DESIGNS[name][0] if name in DESIGNS else "stock"
        print(f"| {name} | {title} | {get_flops(network):.1f} | {median(times[name]):.1f} | {ratio} |")


def write(design: str, folder: Path) -> Path:
    """Write a design's YAML; gives its path with the letter of scale n."""
    title, edits = DESIGNS[design]
    text = BASE.read_text(encoding="utf-8")
    for pattern, replacement in edits:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if not count:
            raise ValueError(f"{design}: {pattern} is nowhere in {BASE.name}")
    body = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    body = re.sub(r"^(  [nsmlx]: \[.*\]|scales:).*$", r"\1", body, flags=re.MULTILINE)  # figures of the base
    file = folder / f"{BASE.stem}-{design}.yaml"
    write_text(file, f"# {BASE.name} with this changed: {title}.\n{body}")
    return folder / with_scale(file.name, "n")


if __name__ == "__main__":
    main()
