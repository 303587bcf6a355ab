"""Write a light version of a stock model YAML: its rows one for one, other blocks in place of its own.

    yolo-plugins yaml yolo11-seg.yaml --swap ghost
    yolo-plugins yaml yolo11.yaml --stage FasterBlock --gate EMA --from-stride 16 --down SPDConv --up DySample
    yolo-plugins yaml yolo26.yaml --backbone timm:mobilenetv4_conv_small

MODEL is any YAML that the installed Ultralytics ships (bare name, scale letter or not) or a path. Rows that cannot be
swapped stay stock, and are named. With a backbone of another package the neck's and head's rows follow it as they are.
"""

from __future__ import annotations

import argparse

from .. import swap_options

HELP = "write a light version of a stock model YAML"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", nargs="?", help="such as yolo11-seg.yaml")
    swap_options.add(parser)
    parser.add_argument("--backbone", metavar="timm:NETWORK", help="a network in place of the backbone")
    parser.add_argument("-o", "--output", metavar="FILE", help="by default MODEL-BLOCKS.yaml here; - prints it")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.add_argument("--recipes", action="store_true", help="list the recipes and end")


def run(args: argparse.Namespace) -> None:
    from pathlib import Path

    if args.recipes:
        from ...swapping.recipes import RECIPES

        for name, recipe in RECIPES.items():
            print(f"{name}: {recipe.title}\n    {recipe.where.replace(chr(10), ' ')}")
            for rule in recipe.rules:
                print(f"    {rule}")
        return
    if not args.model or not (swap_options.given(args) or args.backbone):
        raise ValueError("give a model and what to put into it: yolo-plugins yaml yolo11-seg.yaml --swap ghost")
    from ...files import write_text
    from ...rows.yaml_files import stock_file
    from ...swapping.yaml_writing import swap_yaml

    output = None if args.output in (None, "-") else Path(args.output)
    if output is not None and output.exists() and output.resolve() == stock_file(args.model).resolve():
        raise ValueError(f"{output} is the stock YAML itself; give another name")
    if output is not None and output.exists() and not args.force:
        raise FileExistsError(f"{output} exists; --force replaces it, -o gives another name")
    swapped = swap_yaml(args.model, swap_options.chosen(args), backbone=args.backbone)
    if args.output == "-":
        print(swapped.text, end="")
        return
    output = output or Path(swapped.name)
    write_text(output, swapped.text, force=args.force)
    print(f"{swapped.report()}\nwritten: {output}")
