"""Draw a model's rows or a block's data flow, as text or as a figure for a paper.

yolo-plugins draw yolov8n-ghost.yaml -o figure.svg                     also .pdf and .png
yolo-plugins draw yolov8n-ghost.yaml -o figure.pdf --detail C2fGhost   with the inner structure of a block, or of a row
yolo-plugins draw yolov8n-ghost.yaml                                   Mermaid text, for a README or mermaid.live
yolo-plugins draw GhostConv 64 128 --k 3 --size 32                     a block; -o draws it as a figure
yolo-plugins draw all > docs/blocks.md                                 a page with every block's card and drawing
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..block_arguments import add, given

HELP = "draw a model or a block, as text or as a figure"


def configure(parser: argparse.ArgumentParser) -> None:
    add(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the .svg, .pdf or .png to draw into")
    parser.add_argument(
        "--detail", nargs="+", default=[], metavar="NAME", help="rows or blocks of a model whose inside to draw as well"
    )
    parser.add_argument("--lang", default="en", help="language of a figure's own words: en or zh (default en)")
    parser.add_argument("--imgsz", type=int, help="a model's image size (default 640, for classifiers 224)")


def run(args: argparse.Namespace) -> None:
    what = args.block or ""
    if what.endswith((".yaml", ".yml", ".pt")):
        _draw_model(what, args)
    else:
        _draw_block(what, args)


def _draw_model(model: str, args: argparse.Namespace) -> None:
    if args.more or args.c1 is not None:
        raise ValueError(f"{' '.join(args.more) or args.c1} says something of a block, and {model} is a model")
    if not model.endswith(".pt"):
        from ...rows.yaml_files import locate

        locate(model)  # a misspelt one is said before torch is imported
    if args.output is None:
        if args.detail:
            raise ValueError("--detail is for figures: give a file as well, such as -o figure.svg")
        from ...drawing.mermaid import mermaid
        from ...drawing.model_graph import model_graph

        print(mermaid(model_graph(model, args.imgsz).graph))
        return
    from ...drawing.sheet import draw_model

    draw_model(model, args.output, args.detail, args.lang, args.imgsz)
    print(f"wrote {args.output}")


def _draw_block(block: str, args: argparse.Namespace) -> None:
    if args.detail or args.imgsz is not None:
        raise ValueError(f"--detail and --imgsz are for models, and {block or 'nothing'} is none; give a YAML")
    arguments = {} if block == "all" else given(args)
    from ...drawing.cards import page
    from ...drawing.flow import flow
    from ...drawing.mermaid import mermaid
    from ...inspection.block_costs import build

    if block == "all":
        print(page(), end="")
        return
    module, shape = build(block, arguments)[0], (args.c1, args.size, args.size)
    if args.output is None:
        print(mermaid(flow(module, shape)))
        return
    from ...drawing.sheet import draw_block

    draw_block(module, shape, args.output, args.lang)
    print(f"wrote {args.output}")
