"""A model's scene, with as much room as its arrows and their shapes need."""

from __future__ import annotations

import re
from dataclasses import replace

from .graph import Edge, Graph
from .labels import labelled, straight
from .placing import Spacing, column_of, placed
from .routing import NoWay, routed
from .scene import A4, Scene

TRIES = 24
SQUARE = re.compile(r"^(\d+)×(\d+)×\2$")
"""A square map's shape, which is written shorter where room is scarce."""


def arranged(graph: Graph) -> Scene:
    """Boxes, arrows and shapes of a model's graph, as wide as A4 paper if that can be.

    Raises:
        ValueError: rows so entangled that no room is enough.
    """
    scene = _arranged(graph, Spacing())
    if scene.w <= A4:
        return scene
    edges = [replace(edge, shape=re.sub(SQUARE, r"\1×\2²", edge.shape)) for edge in graph.edges]
    tight = _arranged(Graph(graph.nodes, edges), Spacing(column=8, tight=True))
    return min(scene, tight, key=lambda scene: scene.w)


def _arranged(graph: Graph, spacing: Spacing) -> Scene:
    """A scene with room added where an arrow or a shape finds no place."""
    for _ in range(TRIES):
        scene = placed(graph, spacing)
        try:
            routed(scene, straight(scene, graph.edges))
        except NoWay as error:
            _widen(spacing, graph, error.edge)
            continue
        missing = labelled(scene)
        if not missing:
            return scene
        for column in {column_of(graph, key) for key in missing}:
            spacing.more[column] += 1
    raise ValueError(f"the rows are too entangled to be drawn in {TRIES} tries; draw it as text, without -o")


def _widen(spacing: Spacing, graph: Graph, edge: Edge) -> None:
    """Room around an arrow that found no way."""
    spacing.below += 1
    spacing.band += 1
    first, last = sorted((column_of(graph, edge.source), column_of(graph, edge.target)))
    for column in range(first, max(last, first + 1)):
        spacing.more[column] += 1
