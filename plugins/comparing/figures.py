"""The report's plots, by matplotlib: SVG for the page, PNG for a thesis."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .choosing import Row, accuracy, pareto
from .words import accuracy_name

COLOURS = ("#1f6feb", "#d1570b", "#1a7f37", "#8250df", "#bf3989", "#7d6608", "#0b7285", "#57606a")
MARKERS = "osD^vPX*"


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def latency(rows: Sequence[Row], models: Sequence[str]) -> Any:
    """One format's models, accuracy against latency, with the Pareto front; GFLOPs where no accuracy is known.

    Args:
        rows: Of one format, each with a time.
        models: All models of the report, for the same colour everywhere.
    """
    scored = [row for row in rows if row["map"] is not None]
    figure = _figure(4.6, 3.4)
    axes = figure.add_subplot()
    column = "map" if scored else "gflops"
    for row in scored or rows:
        i = models.index(row["model"])
        wrong = row["state"] != "ok"
        axes.errorbar(
            row["ms"], row[column], xerr=[[row["ms"] - row["ms_low"]], [row["ms_high"] - row["ms"]]], ms=7,
            fmt="x" if wrong else MARKERS[i % len(MARKERS)], color=COLOURS[i % len(COLOURS)], capsize=2,
            label=row["model"] + (" (wrong)" if wrong else ""),
        )  # fmt: skip
    good = [row for row in scored if row["state"] == "ok"]
    front = sorted((good[i]["ms"], good[i]["map"]) for i in pareto([(r["ms"], accuracy(r)) for r in good]))
    if front:
        line = {"where": "post", "color": "#57606a", "lw": 1, "ls": "--", "label": "Pareto front", "zorder": 0}
        axes.step(*zip(*front, strict=True), **line)
    merit = accuracy_name(rows[0]["task"]) if scored else "GFLOPs (accuracy unknown)"
    axes.set(title=rows[0]["format"], xlabel="ms an image, end to end (bar: quartiles)", ylabel=merit)
    axes.margins(0.15)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7, loc="best")
    return figure


def costs(rows: Sequence[Row]) -> Any:
    """Bars of params, GFLOPs and size of every model, a row of each model in one format."""
    figure = _figure(7.2, 1.3 + 0.32 * len(rows))
    names = [row["model"] for row in rows]
    columns = (("params", 1e-6, "parameters, millions"), ("gflops", 1, "GFLOPs"), ("mb", 1, f"{rows[0]['format']}, MB"))
    for place, (column, scale, title) in enumerate(columns):
        axes = figure.add_subplot(1, 3, place + 1)
        values = [(row[column] or 0) * scale for row in rows]
        bars = axes.barh(names, values, color=[COLOURS[i % len(COLOURS)] for i in range(len(rows))])
        axes.bar_label(bars, fmt="%.3g", fontsize=7, padding=2)
        axes.margins(x=0.25)
        axes.invert_yaxis()
        axes.set_title(title, fontsize=9)
        axes.tick_params(labelsize=8, labelleft=place == 0)
    return figure


def predictions(pictures: Mapping[str, Sequence[Path]]) -> Any:
    """What each model finds, a column each, on the same images."""
    from matplotlib.image import imread

    count = max(map(len, pictures.values()))
    figure = _figure(2.2 * len(pictures), 2.2 * count)
    axes = figure.subplots(count, len(pictures), squeeze=False)
    for column, (name, paths) in enumerate(pictures.items()):
        axes[0][column].set_title(name, fontsize=8)
        for row, path in enumerate(paths):
            axes[row][column].imshow(imread(path))
            axes[row][column].set_axis_off()
    return figure


def svg(figure: Any, salt: str) -> str:
    """A figure for a page: no prolog, and identifiers that no other figure of the page has."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r' id="\w+_\d+"', "", text)
    return re.sub(r'(<svg) [^>]*?(viewBox="[^"]*")', r'\1 \2 role="img"', text, count=1)


def png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()
