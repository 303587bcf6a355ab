"""Write a light version of a stock model YAML: its rows one for one, a recipe's blocks in place of its own.

MODEL is any YAML that the installed Ultralytics ships (bare name, scale letter or not) or a path. RECIPE is one of
`--recipes`, or a YAML file of your own. Rows that cannot be swapped stay stock, and are named.
"""

from __future__ import annotations

import argparse

HELP = "write a light version of a stock model YAML"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", nargs="?", help="such as yolo11-seg.yaml")
    parser.add_argument("--swap", metavar="RECIPE", help="which blocks go where; a name or a YAML file")
    parser.add_argument("-o", "--output", metavar="FILE", help="by default MODEL-RECIPE.yaml here; - prints it")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.add_argument("--recipes", action="store_true", help="list the recipes and end")


def run(args: argparse.Namespace) -> None:
    from pathlib import Path

    if args.recipes:
        from ...swapping.recipes import RECIPES

        for name, recipe in RECIPES.items():
            print(f"{name}: {recipe.title}\n    {recipe.where.replace(chr(10), ' ')}")
            for rule in recipe.rules:
                options = "".join(f", {key}={value}" for key, value in rule.options.items())
                kernel = f", kernel {rule.kernel} or more" if rule.kind == "conv" and rule.kernel > 1 else ""
                print(f"    {rule.kind:<5} → {rule.block}{options}, from stride {rule.stride} on{kernel}")
        return
    if not args.model or not args.swap:
        raise ValueError("give a model and a recipe: yolo-plugins yaml yolo11-seg.yaml --swap ghost")
    from ...files import write_text
    from ...rows.yaml_files import stock_file
    from ...swapping.yaml_writing import swap_yaml

    output = None if args.output in (None, "-") else Path(args.output)
    if output is not None and output.exists() and output.resolve() == stock_file(args.model).resolve():
        raise ValueError(f"{output} is the stock YAML itself; give another name")
    swapped = swap_yaml(args.model, args.swap)
    if args.output == "-":
        print(swapped.text, end="")
        return
    output = output or Path(swapped.name)
    write_text(output, swapped.text, force=args.force)
    print(f"{swapped.report()}\nwritten: {output}")
