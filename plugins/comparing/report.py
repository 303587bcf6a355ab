"""The report's files: report.html, report.md, results.csv, results.json and the plots as PNG."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from .. import tables
from ..files import write_bytes, write_text
from . import figures, page, words
from .agreement import TOLERANCES
from .choosing import Budget, Row, winner
from .models import Model
from .words import number

SHOWN: tuple[tuple[str, Callable[[Row], str], str], ...] = (
    ("model", lambda row: str(row["model"]), "model"),
    ("format", lambda row: str(row["format"]), "format"),
    ("params, M", lambda row: number(row["params"] / 1e6, 2), "params"),
    ("GFLOPs", lambda row: number(row["gflops"], 2), "gflops"),
    ("MB", lambda row: number(row["mb"]), "mb"),
    ("memory, MB", lambda row: number(row["memory_mb"], 0), "memory_mb"),
    ("network, ms", lambda row: words.time_text(row, "network_"), "network_ms"),
    ("× first", lambda row: words.ratio_text(row, "network_"), "network_ratio"),
    ("end to end, ms", words.time_text, "ms"),
    ("× first", words.ratio_text, "ratio"),
    ("accuracy", words.accuracy_text, "map"),
    ("agreement with torch", words.agreement_text, "state"),
)
"""The table: heading, what its cells show, and the column of the row that they are sorted by."""

HEADINGS = [heading for heading, _, _ in SHOWN]

METHOD = (
    "Models of one format are timed in turns (A B C A B C …) after a warm-up, one image at a time, each in a process "
    "of its own that waits while another runs. Times are medians with their quartiles. Ratios are to the first model, "
    "round by round: their median with its 95 % bootstrap interval; an interval that spans 1 shows no difference.",
    "Network: the runtime alone on a prepared image. End to end: with Ultralytics' letterbox and non-maximum "
    "suppression around it; budgets and rankings use this. Every runtime computes in 32 bits on the processor.",
    "GFLOPs are 2 × multiply-adds of one image; parameters and GFLOPs are those before fusing. MB are 10⁶ bytes of all "
    "that an export wrote. Memory is the peak resident size of a process that holds the runtime and this model alone; "
    "for torch, and for formats that only Ultralytics' own backend runs, it includes Ultralytics.",
    f"Agreement: raw outputs on the same images against torch's, allowed differences boxes {TOLERANCES['boxes']:g} "
    f"px, scores {TOLERANCES['scores']:g}, masks {TOLERANCES['masks']:.0%} of their range; and with weights, the final "
    "boxes. A model without weights takes its batch norms' statistics from these images, "
    "so that its outputs mean something to compare. Accuracy is Ultralytics' val of the exported file, with "
    "the settings that Ultralytics gives the runtime: on some processors, some compute with fewer than 32 bits there.",
)


def write(rows: Sequence[Row], models: Sequence[Model], budget: Budget, facts: Mapping[str, str], folder: Path) -> None:
    """Write all files, each whole or not at all; an `OSError` where one cannot be written."""
    measured = [row for row in rows if row["ms"] is not None]
    names = [model.name for model in models]
    plots = {
        form: figures.latency([row for row in measured if row["format"] == form], names)
        for form in dict.fromkeys(row["format"] for row in measured)
    }
    bars = figures.costs(_one_format(rows))
    pictures = {model.name: model.pictures for model in models if model.accurate}
    answer = words.answer(rows, budget)
    choice = {"answer": answer, "budget": asdict(budget), "winner": winner(rows, budget)}
    results = {**choice, "rows": rows, "facts": facts}
    write_text(folder / "results.json", json.dumps(results, indent=1, ensure_ascii=False))
    write_text(folder / "results.csv", tables.table(rows, "csv") + "\n")
    write_text(folder / "report.md", markdown(rows, answer, facts))
    for form, figure in plots.items():
        write_bytes(folder / f"latency-{form}.png", figures.png(figure))
    write_bytes(folder / "costs.png", figures.png(bars))
    if pictures:
        write_bytes(folder / "predictions.png", figures.png(figures.predictions(pictures)))
    drawings = {form: figures.svg(figure, f"p{i}") for i, (form, figure) in enumerate(plots.items())}
    photos = {name: [path.read_bytes() for path in paths] for name, paths in pictures.items()}
    cells = [[(text(row), row[key]) for _, text, key in SHOWN] for row in rows]
    costs = figures.svg(bars, "costs")
    html = page.render(answer, HEADINGS, cells, drawings, costs, photos, METHOD, facts)
    write_text(folder / "report.html", html)


def _one_format(rows: Sequence[Row]) -> list[Row]:
    """A row of each model, in the first format that all of them have a file of, or else the first."""
    forms = list(dict.fromkeys(row["format"] for row in rows))
    by_form = [[row for row in rows if row["format"] == form] for form in forms]
    return next((own for own in by_form if all(row["mb"] is not None for row in own)), by_form[0])


def matrix(rows: Sequence[Row]) -> list[list[str]]:
    """Models against formats: the state of each file."""
    forms = list(dict.fromkeys(row["format"] for row in rows))
    states = {(row["model"], row["format"]): row["state"] for row in rows}
    names = list(dict.fromkeys(row["model"] for row in rows))
    return [["", *forms], *[[name, *(states.get((name, form), words.NONE) for form in forms)] for name in names]]


def markdown(rows: Sequence[Row], answer: Sequence[str], facts: Mapping[str, str]) -> str:
    """The report for a README or a thesis."""
    tasks = dict.fromkeys(row["task"] for row in rows)
    accuracies = ", ".join(f"{words.accuracy_name(task)} ({task})" for task in tasks)
    table = [HEADINGS, *([text(row) for _, text, _ in SHOWN] for row in rows)]
    plots = [f"![{form}](latency-{form}.png)" for form in dict.fromkeys(r["format"] for r in rows if r["ms"])]
    parts = [
        "# Comparison",
        "\n".join(f"- {line}" for line in answer),
        tables.markdown(table),
        f"Accuracy: {accuracies}.",
        "## Exported and in agreement",
        tables.markdown(matrix(rows)),
        "## Plots",
        "\n".join([*plots, "![costs](costs.png)"]),
        "## How it was measured",
        "\n\n".join(METHOD),
        "\n".join(f"- {label}: {value}" for label, value in facts.items()),
    ]
    return "\n\n".join(parts) + "\n"
