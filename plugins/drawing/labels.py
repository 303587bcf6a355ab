"""Shapes on the arrows: beside straight ones before the others are routed, beside the others where there is room."""

from __future__ import annotations

from collections.abc import Iterator

from .graph import Edge
from .scene import Box, Label, Line, Point, Rectangle, Scene, width

TALL = 1.7
"""Height of a line of small text, in cells."""
OFF = 0.5
"""From a line to its text."""


def straight(scene: Scene, edges: list[Edge]) -> list[Edge]:
    """Draw the arrows that go straight to the next box of a column, with their shapes; returns the other edges."""
    others = []
    boxes = {box.node.key: box for box in scene.boxes}
    for edge in edges:
        line = _straight(scene, edge, boxes[edge.source], boxes[edge.target])
        if line is None:
            others.append(edge)
            continue
        scene.lines.append(line)
        (x, y0), (_, y1) = line.points
        middle = (y0 + y1) / 2
        place = Rectangle(x + OFF + 0.6, middle - TALL / 2, x + OFF + 0.6 + width(edge.shape), middle + TALL / 2)
        scene.labels.append(Label(edge.shape, place, edge))
    return others


def _straight(scene: Scene, edge: Edge, source: Box, target: Box) -> Line | None:
    if source.middle[0] != target.middle[0] or target.gates:
        return None
    x = source.middle[0]
    down = source.y < target.y
    start, end = (source.y + source.h, target.y) if down else (source.y, target.y + target.h)
    way = Rectangle(x - 0.1, min(start, end) + 0.1, x + 0.1, max(start, end) - 0.1)
    if any(box.rectangle.meets(way) for box in scene.boxes):
        return None
    return Line(edge, [(x, start), (x, end)])


def labelled(scene: Scene) -> list[str]:
    """Put shapes beside the other arrows; returns sources none of whose arrows has room for one."""
    straight = {label.edge for label in scene.labels}
    done: set[tuple[str, str]] = set()
    for line in sorted(scene.lines, key=lambda line: (line.edge.source, -_level(line), line.edge.target)):
        what = line.edge.source, line.edge.shape
        if line.edge in straight or what in done:
            continue
        if place := next(_free(scene, line), None):
            scene.labels.append(Label(line.edge.shape, place, line.edge))
            done.add(what)
    named = {(label.edge.source, label.edge.shape) for label in scene.labels}
    return sorted({line.edge.source for line in scene.lines if (line.edge.source, line.edge.shape) not in named})


def _free(scene: Scene, line: Line) -> Iterator[Rectangle]:
    """Places beside a line that nothing is in, those beside long level pieces first."""
    w = width(line.edge.shape)
    for (x0, y0), (x1, y1) in sorted(line.pieces(), key=lambda piece: (piece[0][1] != piece[1][1], -_length(piece))):
        if y0 == y1:
            yield from _beside_level(scene, min(x0, x1), max(x0, x1), y0, w)
        else:
            yield from _beside_upright(scene, x0, min(y0, y1), max(y0, y1), w)


def _level(line: Line) -> int:
    """The length of a line's longest level piece."""
    return max((abs(x1 - x0) for (x0, y0), (x1, y1) in line.pieces() if y0 == y1), default=0)


def _length(piece: tuple[Point, Point]) -> int:
    return abs(piece[0][0] - piece[1][0]) + abs(piece[0][1] - piece[1][1])


def _beside_level(scene: Scene, x0: int, x1: int, y: int, w: float) -> Iterator[Rectangle]:
    room = x1 - x0 - w
    if room < 0.8:
        return
    for share in (0.3, 0.5, 0.7, 0.1, 0.9):
        left = x0 + room * share
        for top in (y - OFF - TALL, y + OFF):
            place = Rectangle(left, top, left + w, top + TALL)
            if is_empty(scene, place):
                yield place


def _beside_upright(scene: Scene, x: int, y0: int, y1: int, w: float) -> Iterator[Rectangle]:
    if y1 - y0 < TALL:
        return
    for share in (0.5, 0.25, 0.75):
        top = y0 + (y1 - y0 - TALL) * share
        for left in (x + OFF, x - OFF - w):
            place = Rectangle(left, top, left + w, top + TALL)
            if is_empty(scene, place):
                yield place


def is_empty(scene: Scene, place: Rectangle, margin: float = 0.25) -> bool:
    """Whether neither box nor text nor line is in a place, or nearer to it than a margin."""
    if place.x0 < 0 or place.x1 > scene.w or place.y0 < 0 or place.y1 > scene.h:
        return False
    if any(place.meets(other, margin) for other in scene.obstacles()):
        return False
    for line in scene.lines:
        for (x0, y0), (x1, y1) in line.pieces():
            if place.meets(Rectangle(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), margin):
                return False
    return True
