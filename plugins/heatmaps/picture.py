"""Heat maps in one picture: a line for each image, a column for each model's layer."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from ..drawing.paper import refuse_path, save
from .maps import Heatmaps

__all__ = ["draw", "refuse_path"]

WIDE, NARROW, PAGE = 1.6, 0.95, 7.4
"""Widest and narrowest column, and the width to stay within where that goes, in inches."""
GAP, TOP, MARGIN = 0.04, 0.42, 0.06
COLOURS = "turbo"
OVER = 0.5
"""How much of the colours is laid over the image."""


def draw(found: Heatmaps, path: Path) -> None:
    """Draw the images and their maps side by side; the same bytes for the same maps.

    Raises:
        OSError: the folder cannot be written.
    """
    from matplotlib.figure import Figure

    count = 1 + len(found.columns)
    wide = min(WIDE, max(NARROW, (PAGE - 2 * MARGIN) / count))
    heights = [wide * image.shape[0] / image.shape[1] for image in found.images]
    w, h = 2 * MARGIN + count * wide, TOP + sum(heights) + GAP * len(heights) + MARGIN
    figure = Figure(figsize=(w, h))
    top = h - TOP
    for image, maps, height in zip(found.images, found.maps, heights, strict=True):
        top -= height
        for column, shown in enumerate([image, *(overlaid(image, heat) for heat in maps)]):
            place = ((MARGIN + column * wide) / w, top / h, (wide - GAP) / w, height / h)
            axes: Any = figure.add_axes(place)
            axes.imshow(shown, aspect="auto", interpolation="lanczos")
            axes.axis("off")
        top -= GAP
    _headings(figure, found, wide, w, h)
    save(figure, path, "heat maps")


def overlaid(image: Any, heat: Any) -> Any:
    """An image (H, W, 3) of bytes with a map's colours over it, from 0 to 1."""
    from matplotlib import colormaps

    return (1 - OVER) * (image / 255.0) + OVER * colormaps[COLOURS](heat)[..., :3]


def _headings(figure: Any, found: Heatmaps, wide: float, w: float, h: float) -> None:
    """Each model's name over its columns, each layer's over its own."""
    import matplotlib

    with matplotlib.rc_context({"font.family": "DejaVu Sans"}):
        column = 1
        for model, layers in groupby(found.columns, key=lambda pair: pair[0]):
            names = [layer for _, layer in layers]
            left, right = MARGIN + column * wide, MARGIN + (column + len(names)) * wide - GAP
            say = {"ha": "center", "va": "center", "parse_math": False}
            figure.text(
                (left + right) / 2 / w, (h - 0.12) / h, _fit(model, right - left, 7.5), size=7.5, weight="bold", **say
            )
            for i, name in enumerate(names):
                middle = left + (i + 0.5) * wide - GAP / 2
                figure.text(middle / w, (h - 0.31) / h, _fit(name, wide, 6.5), size=6.5, **say)
            column += len(names)


def _fit(text: str, room: float, size: float) -> str:
    """A text, its beginning left out where it is too long for the room in inches."""
    longest = max(4, int(room * 72 / (0.66 * size)))
    return text if len(text) <= longest else f"…{text[-longest + 1 :]}"
