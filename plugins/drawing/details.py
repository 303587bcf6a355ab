"""The inner structure of chosen rows or blocks: recorded, folded, and placed for a panel of its own."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..blocks.registry import PREFIX
from ..models.dry_run import run
from .flow import has_name, recorded
from .graph import Graph, Node, folded, levels_merged
from .labels import labelled, straight
from .placing import MARGIN, Spacing
from .routing import NoWay, routed
from .scene import SMALL, TITLE, Box, Scene, width

TRIES = 12
LOW, HIGH = 4, 6
MANY = 40
"""More boxes than this are no drawing of one block."""


@dataclass(frozen=True)
class Detail:
    """What a panel shows: a block's name, its row's number if it is a row, its graph, and if levels are alike in it."""

    name: str
    row: str
    graph: Graph
    levels: bool = False


def details(layers: nn.Sequential, chosen: list[str], channels: int, imgsz: int) -> list[Detail]:
    """The inner structure of rows or blocks of a model.

    Args:
        layers: The model's rows, on the meta device.
        chosen: Row numbers, or names of blocks that lie in the rows or in blocks there; the first of a name is drawn.
        channels: Of the image.
        imgsz: Its side, in pixels.

    Raises:
        ValueError: no such row or block, or one with nothing inside.
    """
    found = [_find(layers, name) for name in chosen]
    given: dict[nn.Module, tuple[Any, ...]] = {}

    def keep(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        # Some heads put their outputs into the list that they are given.
        given.setdefault(module, tuple(list(x) if isinstance(x, list) else x for x in inputs))

    for row, module in found:
        if not list(module.children()):
            raise ValueError(f"--detail {row or type(module).__name__}: nothing is inside a {type(module).__name__}")
    handles = [module.register_forward_pre_hook(keep) for _, module in found]
    try:
        run(layers, channels, imgsz)
    finally:
        for handle in handles:
            handle.remove()
    return [_detail(row, module, given.get(module)) for row, module in found]


def _find(layers: nn.Sequential, name: str) -> tuple[str, nn.Module]:
    """The module of that row number or class name, and its row's number if it is one."""
    if name.isdecimal():
        if int(name) >= len(layers):
            raise ValueError(f"--detail {name}: the model has rows 0 to {len(layers) - 1}")
        layer = layers[int(name)]
        layer = layer[0] if type(layer) is nn.Sequential else layer
        return name, layer
    bare = name.removeprefix(PREFIX)
    for path, module in layers.named_modules():
        if type(module).__name__ == bare and path:
            return "" if "." in path else path, module
    names = {type(module).__name__ for module in layers.modules() if has_name(module)}
    near = difflib.get_close_matches(bare, names, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(names))}"
    raise ValueError(f"--detail {name}: no block of the model is called so; {hint}")


def _detail(row: str, module: nn.Module, given: tuple[Any, ...] | None) -> Detail:
    name = type(module).__name__
    if given is None:
        raise ValueError(f"--detail {name}: the model does not run it")
    with torch.device("meta"), torch.no_grad():
        graph = recorded(module, given, has_name)
    whole = len(graph.nodes)
    if isinstance(given[0], list):
        graph = levels_merged(graph)
    levels = len(graph.nodes) < whole
    graph = folded(_connected(graph))
    if not 3 <= len(graph.nodes) <= MANY:
        raise ValueError(f"--detail {name}: {len(graph.nodes)} boxes are inside; a drawing takes 3 to {MANY}")
    return Detail(name, row, graph, levels)


def _connected(graph: Graph) -> Graph:
    """The graph without boxes that nothing comes from or leads to, and without what is passed on as it came."""
    ways = {node.key: node.kind for node in graph.nodes}
    edges = [edge for edge in graph.edges if (ways[edge.source], ways[edge.target]) != ("image", "output")]
    ends = {end for edge in edges for end in (edge.source, edge.target)}
    return Graph([node for node in graph.nodes if node.key in ends], edges)


def arranged(graph: Graph) -> Scene:
    """Boxes, arrows and shapes of a block's graph, from the top down.

    Raises:
        ValueError: boxes so entangled that no room is enough.
    """
    spacing = Spacing(below=4, column=4)
    for _ in range(TRIES):
        scene = _placed(graph, spacing)
        try:
            routed(scene, straight(scene, graph.edges))
        except NoWay:
            spacing.below += 1
            spacing.column += 2
            continue
        if not labelled(scene):
            return scene.cropped(MARGIN)
        spacing.column += 2
    raise ValueError(f"the block is too entangled to be drawn in {TRIES} tries; draw it as text, without -o")


def _placed(graph: Graph, spacing: Spacing) -> Scene:
    ranks = _ranks(graph)
    columns = _columns(graph, ranks)
    count = max(columns.values()) + 1
    wide = [
        max(10, 2 * math.ceil(max(_width(graph.node(key)) for key in columns if columns[key] == c) / 2))
        for c in range(count)
    ]
    lefts = [MARGIN + spacing.column + sum(wide[:c]) + spacing.column * 2 * c for c in range(count)]
    scene = Scene(lefts[-1] + wide[-1] + spacing.column + MARGIN, 0)
    y = MARGIN
    for rank in range(max(ranks.values()) + 1):
        nodes = [node for node in graph.nodes if ranks[node.key] == rank]
        height = max(HIGH if node.note else LOW for node in nodes)
        for node in nodes:
            c, h = columns[node.key], HIGH if node.note else LOW
            scene.boxes.append(Box(node, lefts[c], y + (height - h) // 2, wide[c], h))
        y += height + spacing.below
    scene.h = y - spacing.below + MARGIN
    return scene


def _width(node: Node) -> float:
    return max(width(node.words, TITLE, bold=True), width(node.note, SMALL)) + 2.4


def _ranks(graph: Graph) -> dict[str, int]:
    """On which level from the top each box stands: below all that lead to it."""
    ranks: dict[str, int] = {}
    for node in graph.nodes:  # in the order in which they ran
        ranks[node.key] = 1 + max((ranks[edge.source] for edge in graph.into(node.key)), default=-1)
    return ranks


def _columns(graph: Graph, ranks: Mapping[str, int]) -> dict[str, int]:
    """In which column each box stands: the longest way in the first, then the longest way of what is left."""
    columns: dict[str, int] = {}
    taken: list[set[int]] = []
    while len(columns) < len(graph.nodes):
        way = _longest(graph, columns)
        levels = set(range(min(ranks[key] for key in way), max(ranks[key] for key in way) + 1))
        column = next((c for c, used in enumerate(taken) if not used & levels), len(taken))
        if column == len(taken):
            taken.append(set())
        taken[column] |= levels
        columns.update(dict.fromkeys(way, column))
    return columns


def _longest(graph: Graph, placed: Mapping[str, int]) -> list[str]:
    """The longest way through boxes that have no place yet."""
    best: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.key in placed:
            continue
        ways = [best[edge.source] for edge in graph.into(node.key) if edge.source in best]
        best[node.key] = [*max(ways, key=len, default=[]), node.key]
    return max(best.values(), key=len)
