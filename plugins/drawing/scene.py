"""Boxes with a place, lines with a course and labels, on a grid: what placing and routing make and figures draw.

Lengths are in cells of a grid, x to the right and y downward; a cell is `CELL` points.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from .graph import Edge, Node

CELL = 3.6
"""Points to a cell."""

A4 = 595 / CELL
"""Width of A4 paper, in cells."""

TITLE, SMALL = 6.8, 6.0
"""Sizes of text, in points: a box's title, and all else."""

CARD = 0.5
"""How far the second card of what is repeated looks out, in cells."""

Point = tuple[int, int]


@dataclass(frozen=True)
class Rectangle:
    """From (x0, y0), above to the left, to (x1, y1)."""

    x0: float
    y0: float
    x1: float
    y1: float

    def moved(self, by: float) -> Rectangle:
        """The same further to the right."""
        return Rectangle(self.x0 + by, self.y0, self.x1 + by, self.y1)

    def meets(self, other: Rectangle, margin: float = 0.0) -> bool:
        """Whether two overlap, or come nearer than `margin`."""
        return (
            self.x0 < other.x1 + margin
            and other.x0 < self.x1 + margin
            and self.y0 < other.y1 + margin
            and other.y0 < self.y1 + margin
        )


@dataclass(frozen=True)
class Box:
    """A node with its place, and where on its left side arrows from afar come in, if not in the middle."""

    node: Node
    x: int
    y: int
    w: int
    h: int
    gates: dict[str, int] = field(default_factory=dict)

    @property
    def rectangle(self) -> Rectangle:
        return Rectangle(self.x, self.y, self.x + self.w, self.y + self.h)

    @property
    def whole(self) -> Rectangle:
        """With the card behind what is repeated."""
        behind = CARD if self.node.times > 1 and not self.gates else 0.0
        return Rectangle(self.x, self.y, self.x + self.w + behind, self.y + self.h + behind)

    @property
    def middle(self) -> Point:
        return self.x + self.w // 2, self.y + self.h // 2


@dataclass
class Line:
    """An edge with the points that its arrow passes, the first and last on the boxes' borders."""

    edge: Edge
    points: list[Point]

    def pieces(self) -> list[tuple[Point, Point]]:
        """Its straight pieces."""
        return list(zip(self.points, self.points[1:], strict=False))

    def course(self) -> Iterator[Point]:
        """Every point of the grid that it passes, once."""
        yield self.points[0]
        for (x0, y0), (x1, y1) in self.pieces():
            steps = max(abs(x1 - x0), abs(y1 - y0))
            for i in range(1, steps + 1):
                yield x0 + (x1 - x0) * i // steps, y0 + (y1 - y0) * i // steps


@dataclass(frozen=True)
class Label:
    """Text with its place."""

    text: str
    place: Rectangle
    edge: Edge


@dataclass
class Scene:
    """All of one panel: its size, boxes, lines and labels; bands and headings of a model.

    `tight` is for models with many columns: titles as small as all else, to stay within a page's width.
    """

    w: int
    h: int
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    bands: list[tuple[int, int, int]] = field(default_factory=list)
    parts: list[tuple[str, int, int]] = field(default_factory=list)
    tight: bool = False

    def cropped(self, margin: int) -> Scene:
        """The same without empty room at the left and right, but for a margin."""
        places = [*self.obstacles()]
        xs = [x for line in self.lines for x, _ in line.points]
        left = math.floor(min(*xs, *(place.x0 for place in places))) - margin
        right = math.ceil(max(*xs, *(place.x1 for place in places))) + margin
        scene = Scene(right - left, self.h, tight=self.tight)
        scene.boxes = [replace(box, x=box.x - left) for box in self.boxes]
        scene.lines = [Line(line.edge, [(x - left, y) for x, y in line.points]) for line in self.lines]
        scene.labels = [replace(label, place=label.place.moved(-left)) for label in self.labels]
        return scene

    def obstacles(self) -> Iterable[Rectangle]:
        """What no text may cross."""
        yield from (box.whole for box in self.boxes)
        yield from (label.place for label in self.labels)


def title_font(tight: bool) -> tuple[float, bool]:
    """Size and weight of boxes' titles."""
    return (SMALL, False) if tight else (TITLE, True)


@lru_cache(4096)
def width(text: str, size: float = SMALL, bold: bool = False) -> float:
    """Width of a text in cells; of Chinese, an estimate that no font passes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    wide = sum(ord(c) > 0x2E80 for c in text)
    narrow = "".join(c for c in text if ord(c) <= 0x2E80)
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    points = TextToPath().get_text_width_height_descent(narrow, font, ismath=False)[0] if narrow else 0.0
    return float(points + wide * size * 1.02) / CELL
