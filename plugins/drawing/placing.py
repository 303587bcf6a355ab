"""Where a model's boxes stand: bands by stride from the top, columns for each way up or down through the strides."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from .graph import IMAGE, Edge, Graph, Node
from .scene import Box, Scene, title_font, width

LOW, HIGH = 4, 6
"""Heights of boxes with one line of text, and with two."""

MARGIN = 2
NAMES, NAMES_TIGHT = 8, 4
"""Width of what says a band's stride, on the left."""
HEADING = 5
PORT_GAP = 2


@dataclass
class Spacing:
    """Room between boxes of a column, bands, and columns, in cells; `more` is for some columns' right sides.

    `tight` is for models with many columns: smaller titles.
    """

    below: int = 4
    band: int = 2
    column: int = 11
    more: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    tight: bool = False


@dataclass
class Column:
    """Boxes one after another, down through the strides or up."""

    part: str
    nodes: list[Node] = field(default_factory=list)

    @property
    def up(self) -> bool:
        return self.nodes[-1].stride < self.nodes[0].stride

    def in_band(self, stride: int) -> list[Node]:
        """Its boxes of a stride, from the top."""
        found = [node for node in self.nodes if node.stride == stride and node.kind != "image"]
        return found[::-1] if self.up else found


def placed(graph: Graph, spacing: Spacing) -> Scene:
    """Every box of a model with its place, no lines yet."""
    columns = _columns(graph)
    strides = sorted({node.stride for node in graph.nodes if node.kind != "image" and node.part != "head"})
    slots = _slots(graph, columns[:-1], strides)
    inputs = Counter(edge.target for edge in graph.edges)
    lefts, widths = _across(columns, spacing)
    scene = Scene(lefts[-1] + widths[-1] + MARGIN, 0, tight=spacing.tight)
    y = HEADING + MARGIN
    image = graph.node(IMAGE)
    scene.boxes.append(Box(image, lefts[0], y, widths[0], LOW))
    y += LOW + spacing.below
    for stride in strides:
        top = y - spacing.below // 2
        y += spacing.band // 2
        heights = _heights(columns[:-1], slots, stride, inputs)
        for slot, height in enumerate(heights):
            for c, column in enumerate(columns[:-1]):
                for node in column.in_band(stride):
                    if slots[node.key] == slot:
                        h = _height(node, inputs)
                        scene.boxes.append(Box(node, lefts[c], y + (height - h) // 2, widths[c], h))
            y += height + spacing.below
        y += spacing.band // 2
        scene.bands.append((stride, top, y - spacing.below // 2))
    scene.h = y + MARGIN
    scene.boxes.append(_head(graph, scene, columns[-1].nodes[0], lefts[-1], widths[-1]))
    scene.parts = _parts(columns, lefts, widths)
    return scene


def column_of(graph: Graph, key: str) -> int:
    """In which column a box stands."""
    return next(c for c, column in enumerate(_columns(graph)) if any(node.key == key for node in column.nodes))


def _columns(graph: Graph) -> list[Column]:
    """Boxes that run one after another while the stride only grows or only shrinks; the head's own is the last."""
    columns: list[Column] = []
    aside: dict[int, Column] = {}
    way = 0
    rows = [node for node in graph.nodes if node.kind != "image"]
    for i, node in enumerate(rows):
        step = (node.stride > rows[i - 1].stride) - (node.stride < rows[i - 1].stride) if i and columns else 0
        if columns and _is_lateral(graph, rows, i):
            aside.setdefault(len(columns) - 1, Column(node.part)).nodes.append(node)
            continue
        if not columns or node.part != columns[-1].part or (way and step == -way):
            columns.append(Column(node.part))
            way = 0
        else:
            way = way or step
        columns[-1].nodes.append(node)
    for c in sorted(aside, reverse=True):
        columns.insert(c, aside[c])
    if columns[0].part == "backbone":
        columns[0].nodes.insert(0, graph.node(IMAGE))
    return columns


def _is_lateral(graph: Graph, rows: list[Node], i: int) -> bool:
    """Whether a row stands between others that pass it by, such as a 1×1 convolution of another level's map."""
    if not 0 < i < len(rows) - 1 or rows[i].part == "head":
        return False
    sources = {edge.source for edge in graph.into(rows[i].key)}
    if len({row.stride for row in rows[i - 1 : i + 2]}) > 1:
        return False
    takers = {edge.target for edge in graph.out_of(rows[i].key)}
    before = {edge.target for edge in graph.out_of(rows[i - 1].key)}
    if rows[i - 1].key in sources or rows[i].part != rows[i - 1].part:
        return False
    return (takers == {rows[i + 1].key} and rows[i + 1].key in before) or rows[i].title == "ImagePoolingAttn"


def _slots(graph: Graph, columns: list[Column], strides: list[int]) -> dict[str, int]:
    """In which of its band's lines each box stands: where arrows between columns are level, if there is room."""
    slots: dict[str, int] = {}
    for stride in strides:
        stacks = [[node.key for node in column.in_band(stride)] for column in columns]
        deepest = max(map(len, stacks))
        inside = {key for stack in stacks for key in stack}
        edges = [edge for edge in graph.edges if {edge.source, edge.target} <= inside]
        for stack in [*stacks, *stacks[::-1]]:
            offsets = range(deepest - len(stack) + 1)
            best = min(offsets, key=lambda offset: (_jumps(edges, slots, stack, offset), offset))
            slots.update({key: best + i for i, key in enumerate(stack)})
    return slots


def _jumps(edges: list[Edge], slots: dict[str, int], stack: list[str], offset: int) -> int:
    """How far from level the arrows between a stack, at some offset, and the boxes placed already are."""
    at = {**slots, **{key: offset + i for i, key in enumerate(stack)}}
    ends = [(edge.source, edge.target) for edge in edges if (edge.source in stack) != (edge.target in stack)]
    jumps = [abs(at[a] - at[b]) for a, b in ends if a in at and b in at]
    return sum(jump + (jump > 0) for jump in jumps)


def _across(columns: list[Column], spacing: Spacing) -> tuple[list[int], list[int]]:
    """Left edges and widths of the columns; even widths, so that middles are on the grid."""
    widths = [
        max(10, 2 * math.ceil(max(_width(node, spacing.tight) for node in column.nodes) / 2)) for column in columns
    ]
    lefts, x = [], MARGIN + (NAMES_TIGHT if spacing.tight else NAMES) + 1
    for c, w in enumerate(widths):
        lefts.append(x)
        x += w + spacing.column + spacing.more[c]
    return lefts, widths


def _width(node: Node, tight: bool) -> float:
    """Of a box with its text; a head's stands on lines of their own."""
    title = width(node.words, *title_font(tight))
    if node.part == "head":
        return max(title, *map(width, node.note.split(", "))) + 1.6
    number = width(node.number) + 1.0 if node.number else 0.0
    first = title + (1.2 + width(node.note) if _is_one_line(node) else 0.0)
    return max(first + number, 0.0 if _is_one_line(node) else width(node.note) + number) + 1.4


def _is_one_line(node: Node) -> bool:
    return len(node.note) + len(node.words) <= 17


def _height(node: Node, inputs: Mapping[str, int]) -> int:
    """For its lines of text, and for the arrows that come in at its side."""
    return max(LOW if _is_one_line(node) else HIGH, PORT_GAP * inputs[node.key] - PORT_GAP)


def _heights(columns: list[Column], slots: dict[str, int], stride: int, inputs: Mapping[str, int]) -> list[int]:
    """The height of each of a band's lines."""
    heights: dict[int, int] = defaultdict(int)
    for column in columns:
        for node in column.in_band(stride):
            heights[slots[node.key]] = max(heights[slots[node.key]], _height(node, inputs))
    return [heights[slot] for slot in sorted(heights)]


def _head(graph: Graph, scene: Scene, node: Node, left: int, w: int) -> Box:
    """The head as one tall box, a gate for each of its inputs level with where it comes from."""
    sources = [next(box for box in scene.boxes if box.node.key == edge.source) for edge in graph.into(node.key)]
    gates: dict[str, int] = {}
    for box in sorted(sources, key=lambda box: (box.middle[1], box.x)):
        y = box.middle[1]
        gates[box.node.key] = max(y, max(gates.values()) + 2 * PORT_GAP) if gates else y
    top, bottom = min(gates.values()), max(gates.values())
    h = max(bottom - top + 2 * (LOW // 2 + 1), 10)
    return Box(node, left, (top + bottom) // 2 - h // 2, w, h, gates)


def _parts(columns: list[Column], lefts: list[int], widths: list[int]) -> list[tuple[str, int, int]]:
    """From where to where backbone, neck and head reach."""
    reach: dict[str, tuple[int, int]] = {}
    for column, left, w in zip(columns, lefts, widths, strict=True):
        reach[column.part] = (reach.get(column.part, (left, 0))[0], left + w)
    return [(part, *ends) for part, ends in reach.items()]
