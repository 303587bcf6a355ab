"""What the colours mean, in a corner of the figure that is empty, or below it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .graph import Graph
from .labels import TALL, is_empty
from .looks import LOOKS, PLUGIN, Look
from .scene import Rectangle, Scene, width
from .words import said

MEANINGS = {
    "conv": "convolution",
    "stage": "stage",
    "attention": "attention",
    "pool": "pooling",
    "resample": "resampling",
    "join": "concatenation, sum",
    "layer": "other layer",
    "head": "output head",
}
SWATCH, GAP, LINE = 3.0, 1.0, 3.0
"""Width of a colour's sample, what is left to its words, and height of a line, in cells."""


@dataclass(frozen=True)
class Entry:
    """A colour and what it stands for."""

    look: Look
    words: str
    plugin: bool = False


def entries(graph: Graph, language: str) -> list[Entry]:
    """The looks that a graph has, the plug-ins' first."""
    kinds = {node.kind for node in graph.nodes if not node.plugin}
    found = [Entry(LOOKS[kind], said(words, language)) for kind, words in MEANINGS.items() if kind in kinds]
    if any(node.plugin for node in graph.nodes):
        found.insert(0, Entry(PLUGIN, said("plug-in block", language), True))
    return found


@dataclass(frozen=True)
class Legend:
    """Entries in columns, and where they stand."""

    entries: list[Entry]
    columns: int
    x: float
    y: float

    def places(self) -> list[tuple[Entry, float, float]]:
        """Each entry with the left edge and the middle of its line."""
        lines = math.ceil(len(self.entries) / self.columns)
        wide = column_width(self.entries)
        return [
            (entry, self.x + i // lines * wide, self.y + (i % lines + 0.5) * LINE)
            for i, entry in enumerate(self.entries)
        ]


def column_width(found: list[Entry]) -> float:
    """Room for a colour and the longest words."""
    return SWATCH + GAP + max(width(entry.words) for entry in found) + 2.5


def placed(scene: Scene, found: list[Entry]) -> Legend:
    """A legend in an empty place within the scene's bands, the upper right ones first; else below, for which it grows.

    Args:
        scene: With all its lines and labels.
        found: What to explain, at least one entry.
    """
    wide = column_width(found)
    for columns in (3, 2, 4, 1):
        lines = math.ceil(len(found) / columns)
        if lines * (columns - 1) >= len(found):
            continue
        w, h = columns * wide, lines * LINE
        for y in range(6, max(7, int(scene.h * 0.6)), 2):
            for x in range(int(scene.w - w - 2), 14, -2):
                if is_empty(scene, Rectangle(x, y, x + w, y + h), 1.5):
                    return Legend(found, columns, x, y)
    columns = max(1, min(len(found), int((scene.w - 4) // wide)))
    legend = Legend(found, columns, 2.0, scene.h + 1.0)
    scene.h += math.ceil(math.ceil(len(found) / columns) * LINE + TALL)
    return legend
