"""Every model YAML that the installed Ultralytics ships, by every recipe: what is swapped, and whether it trains.

Usage: python tests/benchmarks/recipe_table.py [-o docs/recipe-table.md] [YAML …]

Each light model is built at its smallest scale and run forward and backward once, at 64×64. Takes minutes.
"""

import argparse
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from replacement_cases import mean_square
from ultralytics import __version__
from yolo_plugins.blocks.counting import parameters
from yolo_plugins.blocks.registry import spec_of
from yolo_plugins.files import write_text
from yolo_plugins.models.building import from_text
from yolo_plugins.models.dry_run import offline
from yolo_plugins.rows.description import image_channels, scales_by_size
from yolo_plugins.rows.yaml_files import stock_file, stock_files, with_scale
from yolo_plugins.swapping.recipes import RECIPES
from yolo_plugins.swapping.yaml_writing import swap_yaml
from yolo_plugins.tables import change, table

import patch_ultralytics


@dataclass(frozen=True)
class Pair:
    """What a recipe made of a stock YAML: rows swapped of rows that could be, and parameters before and after; or
    why it makes nothing of it."""

    stock: str
    recipe: str
    swapped: int = 0
    rows: int = 0
    params: tuple[int, int] = (0, 0)
    refused: str = ""

    def __str__(self) -> str:
        return "–" if self.refused else f"{self.swapped}/{self.rows}, {change(self.params[1], self.params[0])}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stock", metavar="YAML", nargs="*", help="by default all of them")
    parser.add_argument("-o", "--output", type=Path, help="a Markdown file to write; by default it is printed")
    args = parser.parse_args()
    patch_ultralytics.apply()
    stock = args.stock or [path.name for path in stock_files()]
    pairs = []
    for name in stock:
        for kind in RECIPES:
            pairs.append(pair(name, kind))
            print(f"{name} {kind}: {pairs[-1].refused or pairs[-1]}", flush=True)
    text = page(pairs)
    if args.output:
        write_text(args.output, text)
        print(counted(pairs))
    else:
        print(text, end="")


def pair(stock: str, kind: str) -> Pair:
    """Swap a stock YAML by a recipe, build it at its smallest scale and run it forward and backward.

    Raises:
        RuntimeError: a block of the pack got no gradient, or one that is not finite.
    """
    try:
        swapped = swap_yaml(stock, kind, figures=False)
    except ValueError as error:
        return Pair(stock, kind, refused=str(error))
    scale = scales_by_size(yaml.safe_load(swapped.text))[0]
    before = stock_parameters(stock, scale)
    with from_text(without_weights(swapped.text), with_scale(swapped.name, scale)) as yolo:
        train_a_step(yolo.model)
        after = parameters(yolo.model)
    return Pair(stock, kind, sum(bool(e.block) for e in swapped.edits), len(swapped.edits), (before, after))


@cache
def stock_parameters(stock: str, scale: str) -> int:
    """Parameters of a stock model."""
    text = stock_file(stock).read_text(encoding="utf-8")
    with from_text(without_weights(text), with_scale(stock, scale)) as yolo:
        return parameters(yolo.model)


def without_weights(text: str) -> str:
    """A YAML whose rows do not ask for weights from the network."""
    return yaml.safe_dump(offline(yaml.safe_load(text)), sort_keys=False)


def train_a_step(model: Any) -> None:
    """One forward and backward pass on noise, the loss the mean squares of all outputs.

    Raises:
        RuntimeError: a parameter of the pack's blocks got no gradient, or one that is not finite.
    """
    # RT-DETR's decoder picks 300 places, more than 64×64 has.
    size = 160 if "RTDETR" in type(model.model[-1]).__name__ else 64
    output = model.train().predict(torch.rand(2, image_channels(model.yaml), size, size))
    mean_square(output).backward()
    for name, block in model.named_modules():
        if spec_of(type(block)) is not None:
            for part, parameter in block.named_parameters():
                if "flow_model" in part or not parameter.requires_grad:  # the flow, YOLO26's, is called by the loss
                    continue
                if parameter.grad is None or not parameter.grad.isfinite().all():
                    raise RuntimeError(f"{name} ({type(block).__name__}) has a parameter without a finite gradient")


def counted(pairs: list[Pair]) -> str:
    light = sum(not p.refused for p in pairs)
    yamls = len({p.stock for p in pairs})
    return f"{yamls} YAMLs, {len(pairs)} pairs: {light} light models, {len(pairs) - light} refused"


def page(pairs: list[Pair]) -> str:
    """The pairs as a Markdown page: counts, a line a stock YAML, and the reasons of what was refused."""
    stock = list(dict.fromkeys(p.stock for p in pairs))
    lines = [{"stock YAML": name, **{p.recipe: str(p) for p in pairs if p.stock == name}} for name in stock]
    reasons: dict[tuple[str, str], list[str]] = {}
    for p in pairs:
        if p.refused:
            reasons.setdefault((p.stock, p.refused.split(": ", 2)[-1]), []).append(p.recipe)
    refused = "\n".join(f"- {name} by {', '.join(kinds)}: {reason}" for (name, reason), kinds in reasons.items())
    return (
        "# Stock model YAMLs and recipes\n\n"
        f"Written by `python tests/benchmarks/recipe_table.py -o docs/recipe-table.md`, on Ultralytics {__version__}. "
        "Each cell: rows\nswapped of the rows that are convolutions or stages, and parameters against the stock model "
        "at the smallest scale. Each\nlight model was built and run forward and backward.\n\n"
        f"{counted(pairs)} (–), with the reasons below.\n\n{table(lines, 'markdown')}\n\n## Refused\n\n{refused}\n"
    )


if __name__ == "__main__":
    main()
