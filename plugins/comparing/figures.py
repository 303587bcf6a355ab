"""The report's plots, by matplotlib: SVG for the page, in its colours by day and by night, PNG for a thesis."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .choosing import Row, accuracy, pareto
from .variants import DEFAULT, OURS, THEIRS
from .words import accuracy_name, number, runtime

COLOURS = ("#1f2328", "#1f6feb", "#c2500a", "#1a7f37", "#8250df", "#bf3989", "#7d6608", "#0b7285")
"""Of the models; the first one's is the ink's."""
PAPER, INK, MUTED, LINE = "#fffffe", "#1f2327", "#59636e", "#d0d7de"
NAMES = {
    **{colour: f"series-{i}" for i, colour in enumerate(COLOURS)},
    PAPER: "paper",
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
}
"""What the page calls the colours, which has others of these names in the dark."""
MARKERS = "os^DvPX*<>"
FILLS = {("", 32): "full", (DEFAULT, 16): "left", (THEIRS, 16): "bottom", (THEIRS, 8): "none", (OURS, 8): "top"}
WIDE = 6
"""Times as slow as the fastest from which the axis is logarithmic."""


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib

    inks = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "axes.titlecolor")
    plain = {"font.family": "sans-serif", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    settings: Any = {**dict.fromkeys(inks, INK), **plain, "grid.color": LINE, "legend.frameon": False}
    with matplotlib.rc_context(settings):
        yield


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor=PAPER)


def colour(model: str, models: Sequence[str]) -> str:
    return COLOURS[models.index(model) % len(COLOURS)]


def overview(rows: Sequence[Row], models: Sequence[str]) -> Any:
    """Every file that was timed: accuracy over time, those of unknown accuracy on the axis, a line to a model where no
    accuracy is known; with the fastest file of the first model as reference, and the Pareto front.

    Args:
        rows: Those with a time.
        models: All models of the report, the reference first.
    """
    forms = list(dict.fromkeys(row["format"] for row in rows))
    scored = any(row["map"] is not None for row in rows)
    with _style():
        keys = len({*models}) + len(forms)
        figure = _figure(5.6, 3.6 + 0.1 * keys)
        axes = figure.add_subplot()
        axes.set_facecolor(PAPER)
        for row in rows:
            _point(axes, row, models, forms, scored)
        _reference(axes, rows, models[0], scored)
        if scored:
            _front(axes, rows)
            axes.set_ylabel(_merit(rows))
        else:
            axes.set_yticks(range(len(models)), models)
            axes.invert_yaxis()
        axes.set_xlabel("ms an image, end to end (bars: quartiles); further left is faster")
        _scale(axes, [row["ms"] for row in rows])
        axes.margins(0.12)
        axes.grid(lw=0.6)
        axes.set_axisbelow(True)
        _legend(axes, rows, models, forms)
    return figure


def _merit(rows: Sequence[Row]) -> str:
    tasks = {row["task"] for row in rows}
    return accuracy_name(*tasks) if len(tasks) == 1 else "accuracy"


def _marker(row: Row, models: Sequence[str], forms: Sequence[str]) -> dict[str, Any]:
    own = colour(row["model"], models)
    if row["state"] != "ok":
        return {"marker": "x", "color": own}
    marker = MARKERS[forms.index(row["format"]) % len(MARKERS)]
    fill = FILLS.get((row["recipe"], row["bits"]), "right")
    return {"marker": marker, "color": own, "fillstyle": fill, "markerfacecoloralt": PAPER}


def _point(axes: Any, row: Row, models: Sequence[str], forms: Sequence[str], scored: bool) -> None:
    quartiles = [[row["ms"] - row["ms_low"]], [row["ms_high"] - row["ms"]]]
    place: dict[str, Any] = {"zorder": 3}
    y = row["map"] if scored else models.index(row["model"])
    if y is None:
        y, place = 0, {"transform": axes.get_xaxis_transform(), "clip_on": False, "zorder": 5}
    bars = {"capsize": 2, "elinewidth": 0.8, "linestyle": "none", "markersize": 7}
    axes.errorbar(row["ms"], y, xerr=quartiles, **bars, **_marker(row, models, forms), **place)


def _reference(axes: Any, rows: Sequence[Row], first: str, scored: bool) -> None:
    """Lines through the first model's fastest file in 32 bits: left of it is faster, above it more accurate."""
    own = [row for row in rows if row["model"] == first and row["state"] == "ok" and not row["recipe"]]
    if not own:
        return
    fastest = min(own, key=lambda row: row["ms"])
    line = {"color": INK, "lw": 0.9, "ls": ":", "zorder": 1}
    axes.axvline(fastest["ms"], label=f"fastest of {first}", **line)
    if scored and fastest["map"] is not None:
        axes.axhline(fastest["map"], **line)


def _front(axes: Any, rows: Sequence[Row]) -> None:
    good = [row for row in rows if row["state"] == "ok" and row["map"] is not None]
    front = sorted((good[i]["ms"], good[i]["map"]) for i in pareto([(row["ms"], accuracy(row)) for row in good]))
    if len(front) > 1:
        line = {"where": "post", "color": MUTED, "lw": 1, "ls": "--", "zorder": 2}
        axes.step(*zip(*front, strict=True), label="nothing better (Pareto)", **line)


def _scale(axes: Any, times: Sequence[float]) -> None:
    if max(times) / min(times) < WIDE:
        return
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _legend(axes: Any, rows: Sequence[Row], models: Sequence[str], forms: Sequence[str]) -> None:
    """Colours are models, shapes runtimes, fillings precisions."""
    from matplotlib.lines import Line2D

    def key(label: str, **look: Any) -> Any:
        return Line2D([], [], linestyle="none", label=label, markersize=6, **look)

    timed = [model for model in models if any(row["model"] == model for row in rows)]
    keys = [key(model, marker="s", color=colour(model, models)) for model in timed]
    for row in {row["format"]: row for row in rows}.values():
        keys.append(key(runtime(row), marker=MARKERS[forms.index(row["format"]) % len(MARKERS)], color=MUTED))
    for recipe, bits in dict.fromkeys((row["recipe"], row["bits"]) for row in rows):
        if recipe:
            said = f"{bits} bits" if recipe == THEIRS else f"{bits} bits, {recipe}"
            look = {"fillstyle": FILLS.get((recipe, bits), "right"), "markerfacecoloralt": PAPER}
            keys.append(key(said, marker="o", color=MUTED, **look))
    if any(row["state"] != "ok" for row in rows):
        keys.append(key("wrong", marker="x", color=MUTED))
    keys += [line for line in axes.get_lines() if not line.get_label().startswith("_")]
    axes.legend(handles=keys, loc="upper center", bbox_to_anchor=(0.45, -0.16), ncol=3, fontsize=8, columnspacing=1.2)


def described(rows: Sequence[Row]) -> str:
    """The overview in words, for those who do not see it."""
    points = (f"{row['model']} in {runtime(row)} {row['ms']:.1f} ms, {number(row['map'], 3)}" for row in rows)
    return f"{_merit(rows)} over milliseconds an image: {'; '.join(points)}"


def costs(rows: Sequence[Row], models: Sequence[str]) -> Any:
    """Bars of parameters, GFLOPs and size of every model, a row of each model in one format."""
    names = [row["model"] for row in rows]
    columns = (
        ("params", 1e-6, "parameters, millions"),
        ("gflops", 1, "GFLOPs"),
        ("mb", 1, f"MB in {runtime(rows[0])}"),
    )
    with _style():
        figure = _figure(4.2, 3 * (0.45 + 0.2 * len(rows)))
        for place, (column, scale, title) in enumerate(columns):
            axes = figure.add_subplot(3, 1, place + 1)
            axes.set_facecolor(PAPER)
            values = [(row[column] or 0) * scale for row in rows]
            bars = axes.barh(names, values, color=[colour(name, models) for name in names])
            axes.bar_label(bars, fmt="%.3g", fontsize=8, padding=2)
            axes.margins(x=0.15)
            axes.invert_yaxis()
            axes.set_title(title, fontsize=9, loc="left")
            axes.tick_params(labelsize=8, bottom=False, labelbottom=False, left=False)
            axes.spines["bottom"].set_visible(False)
    return figure


def predictions(pictures: Mapping[str, Sequence[Path]]) -> Any:
    """What each model finds, a column each, on the same images."""
    from matplotlib.image import imread

    count = max(map(len, pictures.values()))
    with _style():
        figure = _figure(2.2 * len(pictures), 2.2 * count)
        axes = figure.subplots(count, len(pictures), squeeze=False)
        for column, (name, paths) in enumerate(pictures.items()):
            axes[0][column].set_title(name, fontsize=8)
            for row, path in enumerate(paths):
                axes[row][column].imshow(imread(path))
                axes[row][column].set_axis_off()
    return figure


def svg(figure: Any, salt: str) -> str:
    """A figure for a page: no prolog, identifiers that no other figure of the page has, and the page's colours."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r' id="\w+_\d+"', "", text)
    text = re.sub("|".join(NAMES), lambda found: f"var(--{NAMES[found[0]]})", text)
    return re.sub(r'(<svg) [^>]*?(viewBox="[^"]*")', r"\1 \2", text, count=1)


def png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()
