"""A scene and what its colours mean, drawn on paper."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .graph import Node
from .legend import GAP, SWATCH, Legend
from .looks import BANDS, LOOKS, PLUGIN, QUIET, Look
from .paper import Paper
from .scene import CARD, SMALL, TITLE, Box, Line, Point, Scene, title_font, width
from .words import said, spoken

HIGH = 6
"""From this height on, a box has a line for its title and one for its note."""


def draw_scene(paper: Paper, scene: Scene, x: float = 0.0, y: float = 0.0) -> None:
    """Draw a scene with its corner above to the left at (x, y)."""
    paper.x, paper.y = x, y
    _bands(paper, scene)
    for box in scene.boxes:
        if box.whole != box.rectangle:  # a second card behind what is repeated
            weight = 1.0 if box.node.plugin else 0.6
            paper.rectangle((box.x + CARD, box.y + CARD), box.w, box.h, look_of(box.node), weight)
    for line in scene.lines:
        paper.arrow(line.points)
    for point in _forks(scene.lines):
        paper.dot(point)
    for label in scene.labels:
        middle = (label.place.y0 + label.place.y1) / 2
        paper.text((label.place.x0, middle), spoken(label.text, paper.language), "left")
    for box in scene.boxes:
        _box(paper, box, title_font(scene.tight))
    paper.x = paper.y = 0.0


def draw_legend(paper: Paper, legend: Legend) -> None:
    """Draw what the colours mean."""
    for entry, x, y in legend.places():
        paper.rectangle((x, y - 0.9), SWATCH, 1.8, entry.look, 1.5 if entry.plugin else 0.8)
        paper.text((x + SWATCH + GAP, y), entry.words, "left")


def look_of(node: Node) -> Look:
    """A box's look: the plug-ins' own, else its kind's."""
    return PLUGIN if node.plugin else LOOKS[node.kind]


def _bands(paper: Paper, scene: Scene) -> None:
    for i, (stride, top, bottom) in enumerate(scene.bands):
        paper.rectangle((0, top), scene.w, bottom - top, Look(BANDS[i % 2], "none"), 0)
        middle = (top + bottom) / 2
        level = math.log2(stride)
        if level.is_integer():
            paper.text((1.4, middle - 1.2), f"P{level:.0f}", "left", TITLE, bold=True)
        words = f"/{stride}" if scene.tight else f"{said('stride', paper.language)} {stride}"
        paper.text((1.4, middle + 1.2), words, "left", colour=QUIET)
    for part, left, right in scene.parts:
        words = said(part, paper.language).capitalize()
        paper.text(((left + right) / 2, 1.9), words, "center", TITLE + 1, bold=True)
        paper.rule((left, 3.6), (right, 3.6), QUIET)


def _box(paper: Paper, box: Box, font: tuple[float, bool]) -> None:
    weight = 1.5 if box.node.plugin else 0.8
    paper.rectangle((box.x, box.y), box.w, box.h, look_of(box.node), weight, box.node.kind == "image")
    if box.gates:
        _tall(paper, box, font)
    else:
        _words(paper, box, font)


def _words(paper: Paper, box: Box, font: tuple[float, bool]) -> None:
    """Number, title and note of a box, on one line or two."""
    node = box.node
    title, note = said(node.words, paper.language), spoken(node.note, paper.language)
    paper.text((box.x + 0.9, box.y + box.h / 2), node.number, "left", colour=QUIET)
    left = box.x + (width(node.number) + 0.8 if node.number else 0.0)
    middle, y = (left + box.x + box.w) / 2, box.y + box.h / 2
    if not note:
        paper.text((middle, y), title, "center", *font)
    elif box.h >= HIGH:
        paper.text((middle, y - 1.15), title, "center", *font)
        paper.text((middle, y + 1.3), note, "center")
    else:
        total = width(title, *font) + 1.0 + width(note)
        paper.text((middle - total / 2, y), title, "left", *font)
        paper.text((middle + total / 2, y), note, "right")


def _tall(paper: Paper, box: Box, font: tuple[float, bool]) -> None:
    """What a head is and gives, in the middle of it."""
    lines = [box.node.number, box.node.words, *filter(None, box.node.note.split(", "))]
    top = box.y + box.h / 2 - 1.2 * (len(lines) - 1)
    for i, words in enumerate(lines):
        at = box.x + box.w / 2, top + 2.4 * i
        if i == 1:
            paper.text(at, words, "center", *font)
        else:
            paper.text(at, spoken(words, paper.language), "center", SMALL, colour=QUIET)


def _forks(lines: Sequence[Line]) -> Iterator[Point]:
    """Where arrows of one source part."""
    nets: dict[str, list[Line]] = {}
    for line in lines:
        nets.setdefault(line.edge.source, []).append(line)
    for net in nets.values():
        ways: dict[Point, set[Point]] = {}
        for line in net:
            course = list(line.course())
            for i, point in enumerate(course):
                ways.setdefault(point, set()).update(course[max(0, i - 1) : i] + course[i + 1 : i + 2])
        begins = {line.points[0] for line in net}
        yield from sorted(point for point, around in ways.items() if len(around) > 2 and point not in begins)
