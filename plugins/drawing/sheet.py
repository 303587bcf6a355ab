"""The whole sheet: a model's rows, what the colours mean, a line below, and details beside it or below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from . import details as inner
from . import legend as colours
from .arranging import arranged
from .details import Detail, details
from .figure import draw_legend, draw_scene
from .flow import flow, has_name
from .graph import folded
from .looks import Look
from .model_graph import model_graph
from .paper import Paper, refuse_path, save
from .scene import A4, TITLE, Scene, width
from .words import refuse, said

CAPTION, GAP, HEADING = 4, 3, 4
FRAME = Look("#FCFCFD", "#C9CED6")


@dataclass(frozen=True)
class Panel:
    """A detail and where it stands."""

    title: str
    scene: Scene
    x: float
    y: float

    @property
    def right(self) -> float:
        return self.x + max(self.scene.w, width(self.title, TITLE, bold=True) + 3)

    @property
    def bottom(self) -> float:
        return self.y + HEADING + self.scene.h + 1


def draw_model(
    model: str, path: Path, detail: Sequence[str] = (), language: str = "en", imgsz: int | None = None
) -> None:
    """Draw a model's rows as a figure.

    Args:
        model: A model YAML, by bare name or path, or a `.pt` file.
        path: The SVG, PDF or PNG to write.
        detail: Rows or blocks whose inner structure to draw as well.
        language: Of the figure's own words: "en" or "zh".
        imgsz: Side of the square image that the shapes are for.

    Raises:
        FileNotFoundError: no such model, or no such folder.
        ValueError: another ending than a figure's, a language without a font, a model or detail that cannot be drawn.
    """
    refuse_path(path)
    refuse(language)
    described = model_graph(model, imgsz)
    graph = folded(described.graph)
    chosen = details(described.layers, list(detail), described.channels, described.imgsz) if detail else []
    scene = arranged(graph)
    legend = colours.placed(scene, colours.entries(graph, language))
    panels = _beside(chosen, scene.w, language) or _below(chosen, scene, language)
    w = max([scene.w, *(panel.right for panel in panels)])
    h = max([scene.h, *(panel.bottom for panel in panels)]) + CAPTION
    paper = Paper(w, h, language)
    draw_scene(paper, scene)
    draw_legend(paper, legend)
    for panel in panels:
        _draw(paper, panel)
    size = f"{described.imgsz}×{described.imgsz}"
    caption = " · ".join(
        [described.name, _with("{} parameters", f"{described.params:,}", language), _with("image {}", size, language)]
    )
    paper.text((1.4, h - CAPTION / 2), caption, "left")
    save(paper.figure, path, Path(model).name)


def draw_block(module: nn.Module, shape: Sequence[int], path: Path, language: str = "en") -> None:
    """Draw a block's data flow as a figure.

    Args:
        module: Any module that takes one tensor.
        shape: The input's (C, H, W).
        path: The SVG, PDF or PNG to write.
        language: Of the figure's own words.

    Raises:
        ValueError: another ending, a language without a font, or an input that the module does not take.
    """
    refuse_path(path)
    refuse(language)
    scene = inner.arranged(folded(flow(module, shape, boxed=has_name)))
    panel = Panel(type(module).__name__, scene, 0.5, 0.5)
    paper = Paper(panel.right + 0.5, panel.bottom + 0.5, language)
    _draw(paper, panel)
    save(paper.figure, path, type(module).__name__)


def _draw(paper: Paper, panel: Panel) -> None:
    paper.rectangle((panel.x, panel.y), panel.right - panel.x, panel.bottom - panel.y, FRAME, 0.6)
    middle = (panel.x + panel.right) / 2
    paper.text((middle, panel.y + HEADING / 2 + 0.3), panel.title, "center", TITLE, bold=True)
    draw_scene(paper, panel.scene, middle - panel.scene.w / 2, panel.y + HEADING)


def _with(text: str, value: str, language: str) -> str:
    return said(text, language).format(value)


def _heading(detail: Detail, language: str) -> str:
    about = [_with("row {}", detail.row, language)] if detail.row else []
    about += [said("each level alike", language)] if detail.levels else []
    return f"{detail.name} ({', '.join(about)})" if about else detail.name


def _beside(chosen: Sequence[Detail], left: float, language: str) -> list[Panel]:
    """Details one below another on the right, if the paper is wide enough."""
    panels: list[Panel] = []
    y = 1.0
    for detail in chosen:
        panels.append(Panel(_heading(detail, language), inner.arranged(detail.graph), left + GAP, y))
        y = panels[-1].bottom + GAP
    return panels if all(panel.right <= A4 for panel in panels) else []


def _below(chosen: Sequence[Detail], scene: Scene, language: str) -> list[Panel]:
    """Details in lines below, as wide as the model or the paper."""
    panels: list[Panel] = []
    x, y, limit = 1.0, float(scene.h + GAP), max(scene.w, A4)
    for detail in chosen:
        panel = Panel(_heading(detail, language), inner.arranged(detail.graph), x, y)
        if x > 1.0 and panel.right > limit:
            x, y = 1.0, max(other.bottom for other in panels) + GAP
            panel = Panel(panel.title, panel.scene, x, y)
        panels.append(panel)
        x = panel.right + GAP
    return panels
