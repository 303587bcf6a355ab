"""One figure by matplotlib, its strokes and text, as SVG, PDF or PNG: the same bytes for the same strokes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..files import write
from .looks import INK, Look
from .scene import CELL, SMALL
from .words import chinese_font, is_chinese

SUFFIXES = (".svg", ".pdf", ".png")
INCH = 72 / CELL
DPI = 300
ROUND, HEAD = 1.0, (1.5, 0.62)
"""Radius of a course's corners; length and half width of an arrow's head."""

Place = tuple[float, float]


class Paper:
    """A figure with its origin above to the left; `x` and `y` move what is drawn next.

    Args:
        w: Width, in cells.
        h: Height, in cells.
        language: Of its own words.
    """

    def __init__(self, w: float, h: float, language: str = "en") -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(w / INCH, h / INCH))
        self.axes: Any = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set(xlim=(0, w), ylim=(h, 0))
        self.axes.axis("off")
        self.language = language
        self.x = self.y = 0.0

    def rectangle(self, corner: Place, w: float, h: float, look: Look, weight: float, dashed: bool = False) -> None:
        """A rectangle with rounded corners, from its corner above to the left."""
        from matplotlib.patches import FancyBboxPatch

        shape = "round,pad=0,rounding_size=0.9" if weight else "square,pad=0"
        style = "dashed" if dashed else "solid"
        box = FancyBboxPatch(self._at(corner), w, h, boxstyle=shape, fc=look.fill, ec=look.edge, lw=weight, ls=style)
        self._add(box)

    def text(
        self, at: Place, words: str, side: str, size: float = SMALL, bold: bool = False, colour: str = INK
    ) -> None:
        """A text with its middle, or the left or right of it, at a place."""
        from matplotlib.font_manager import FontProperties

        font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
        if is_chinese(words):
            font = FontProperties(fname=str(chinese_font()), size=size)
        self.axes.text(
            *self._at(at), words, ha=side, va="center_baseline", fontproperties=font, color=colour, parse_math=False
        )

    def rule(self, start: Place, end: Place, colour: str) -> None:
        """A thin line."""
        (x0, y0), (x1, y1) = self._at(start), self._at(end)
        self.axes.plot([x0, x1], [y0, y1], color=colour, lw=0.8)

    def dot(self, at: Place) -> None:
        """Where arrows part."""
        from matplotlib.patches import Circle

        self._add(Circle(self._at(at), 0.42, fc=INK, ec="none"))

    def arrow(self, points: Sequence[Place]) -> None:
        """A course with rounded corners, and a head at its end."""
        from matplotlib.patches import PathPatch, Polygon
        from matplotlib.path import Path as Outline

        ends = [self._at(point) for point in points]
        (x0, y0), (x1, y1) = ends[-2:]
        length = math.dist(*ends[-2:])
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        x, y = x1 - dx * HEAD[0], y1 - dy * HEAD[0]
        ends[-1] = (x + dx * 0.3, y + dy * 0.3)
        course = Outline(*_rounded(ends))
        self._add(PathPatch(course, fill=False, ec=INK, lw=0.75, capstyle="butt", joinstyle="round"))
        sides = [(x - dy * HEAD[1], y + dx * HEAD[1]), (x + dy * HEAD[1], y - dx * HEAD[1])]
        self._add(Polygon([(x1, y1), *sides], closed=True, fc=INK, ec="none"))

    def _add(self, patch: Any) -> None:
        self.axes.add_patch(patch)
        patch.set_clip_on(False)  # which would be said once more for each in an SVG

    def _at(self, place: Place) -> Place:
        return self.x + place[0], self.y + place[1]


def save(figure: Any, path: Path, title: str) -> None:
    """Write a figure of matplotlib's, whole or not at all, without a date.

    Raises:
        OSError: the folder cannot be written.
    """
    import matplotlib

    form = path.suffix[1:]
    about: dict[str, Any] = {"Title": title}
    about |= {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[form]
    with matplotlib.rc_context({"svg.hashsalt": title, "svg.fonttype": "path", "pdf.fonttype": 42}):
        write(path, lambda file: figure.savefig(file, format=form, dpi=DPI, metadata=about, facecolor="white"))


def refuse_path(path: Path) -> None:
    """Refuse a file that cannot be written, before anything is drawn.

    Raises:
        ValueError: another ending than `SUFFIXES`.
        OSError: its folder does not exist.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of {path} does not exist")


def _rounded(points: Sequence[Place]) -> tuple[list[Place], list[int]]:
    """A course with quarter-round corners, as matplotlib's vertices and codes."""
    from matplotlib.path import Path as Outline

    vertices, codes = [points[0]], [int(Outline.MOVETO)]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(ROUND, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        vertices += [_towards(corner, before, radius), corner, _towards(corner, after, radius)]
        codes += [int(Outline.LINETO), int(Outline.CURVE3), int(Outline.CURVE3)]
    return [*vertices, points[-1]], [*codes, int(Outline.LINETO)]


def _towards(start: Place, end: Place, far: float) -> Place:
    share = far / math.dist(start, end)
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
