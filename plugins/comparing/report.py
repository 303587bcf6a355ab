"""The report's files: report.html, report.md, results.csv, results.json and the plots as PNG."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import write_bytes, write_text
from . import figures, page, pictures
from .choosing import Budget, Row, winner
from .rows import COLUMNS
from .words import (
    NONE,
    accuracy_name,
    accuracy_text,
    agreement_text,
    answer,
    number,
    ratio_text,
    time_text,
    tolerances_text,
)

if TYPE_CHECKING:
    from .cells import Model

HEADINGS = (
    "model", "format", "params, M", "GFLOPs", "MB", "memory, MB",
    "network, ms", "× first", "end to end, ms", "× first", "accuracy", "agreement with torch",
)  # fmt: skip

METHOD = (
    "Models of one format are timed in turns (A B C A B C …) after a warm-up, one image at a time, each in a process "
    "of its own that waits while another runs. Times are medians with their quartiles. Ratios are to the first model, "
    "round by round: their median with its 95 % bootstrap interval; an interval that spans 1 shows no difference.",
    "Network: the runtime alone on a prepared image. End to end: with Ultralytics' letterbox and non-maximum "
    "suppression around it; budgets and rankings use this. Every runtime computes in 32 bits on the processor.",
    "GFLOPs are 2 × multiply-adds of one image; parameters and GFLOPs are those before fusing. MB are 10⁶ bytes of all "
    "that an export wrote. Memory is the peak resident size of a process that holds the runtime and this model alone; "
    "for torch, and for formats that only Ultralytics' own backend runs, it includes Ultralytics.",
    f"Agreement: raw outputs on the same images against torch's, allowed differences {tolerances_text()}; and with "
    "weights, the final boxes. A model without weights takes its batch norms' statistics from these images, "
    "so that its outputs mean something to compare. Accuracy is Ultralytics' val of the exported file, with "
    "the settings that Ultralytics gives the runtime: on some processors, some compute with fewer than 32 bits there.",
)


@dataclass(frozen=True)
class Report:
    """Everything that a report is written from."""

    rows: list[Row]
    models: list[Model]
    budget: Budget
    facts: dict[str, str]
    images: list[str]
    imgsz: int


def write(report: Report, folder: Path) -> None:
    """Write all files, each whole or not at all.

    Raises:
        OSError: one cannot be written.
    """
    measured = [row for row in report.rows if row["ms"] is not None]
    names = [model.name for model in report.models]
    plots = {
        form: figures.latency([row for row in measured if row["format"] == form], names)
        for form in dict.fromkeys(row["format"] for row in measured)
    }
    bars = figures.costs(_one_format(report.rows))
    shown = _predictions(report)
    results = {
        "answer": answer(report.rows, report.budget),
        "budget": asdict(report.budget),
        "winner": winner(report.rows, report.budget),
        "rows": report.rows,
        "facts": report.facts,
    }
    write_text(folder / "results.json", json.dumps(results, indent=1, ensure_ascii=False))
    write_text(folder / "results.csv", table_csv(report.rows))
    write_text(folder / "report.md", markdown(report))
    for form, figure in plots.items():
        write_bytes(folder / f"latency-{form}.png", figures.png(figure))
    write_bytes(folder / "costs.png", figures.png(bars))
    if shown:
        sheet = pictures.sheet(list(zip(*shown.values(), strict=True)), list(shown))
        write_bytes(folder / "predictions.png", pictures.encoded(sheet, ".png"))
    drawings = {form: figures.svg(figure, f"p{i}") for i, (form, figure) in enumerate(plots.items())}
    photos = {name: [pictures.encoded(image, ".jpg") for image in images] for name, images in shown.items()}
    html = page.render(
        answer(report.rows, report.budget), HEADINGS, table_cells(report.rows), drawings, figures.svg(bars, "costs"),
        photos, METHOD, report.facts,
    )  # fmt: skip
    write_text(folder / "report.html", html)


def _one_format(rows: Sequence[Row]) -> list[Row]:
    """A row of each model, in the first format that all of them have a file of, or else the first."""
    forms = list(dict.fromkeys(row["format"] for row in rows))
    by_form = [[row for row in rows if row["format"] == form] for form in forms]
    return next((own for own in by_form if all(row["mb"] is not None for row in own)), by_form[0])


def _predictions(report: Report) -> dict[str, list[Any]]:
    """By model with weights, its drawn images."""
    return {
        model.name: [
            pictures.picture(path, boxes, outlines, model.facts["names"])
            for path, boxes, outlines in zip(report.images, model.facts["boxes"], model.facts["outlines"], strict=True)
        ]
        for model in report.models
        if model.accurate
    }


def table_csv(rows: Sequence[Row]) -> str:
    """All columns of all rows; what was not measured is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def table_cells(rows: Sequence[Row]) -> list[list[tuple[str, float | str | None]]]:
    """The report's table: what each cell shows, and what it is sorted by."""
    return [
        [
            (row["model"], row["model"]),
            (row["format"], row["format"]),
            (number(row["params"] / 1e6, 2), row["params"]),
            (number(row["gflops"], 2), row["gflops"]),
            (number(row["mb"]), row["mb"]),
            (number(row["memory_mb"], 0), row["memory_mb"]),
            (time_text(row, "network_"), row["network_ms"]),
            (ratio_text(row, "network_"), row["network_ratio"]),
            (time_text(row), row["ms"]),
            (ratio_text(row), row["ratio"]),
            (accuracy_text(row), row["map"]),
            (agreement_text(row), row["state"]),
        ]
        for row in rows
    ]


def matrix(rows: Sequence[Row]) -> list[list[str]]:
    """Models against formats: the state of each file."""
    forms = list(dict.fromkeys(row["format"] for row in rows))
    states = {(row["model"], row["format"]): row["state"] for row in rows}
    names = list(dict.fromkeys(row["model"] for row in rows))
    return [["", *forms], *[[name, *(states.get((name, form), NONE) for form in forms)] for name in names]]


def markdown(report: Report) -> str:
    """The report for a README or a thesis."""
    tasks = dict.fromkeys(row["task"] for row in report.rows)
    accuracies = ", ".join(f"{accuracy_name(task)} ({task})" for task in tasks)
    table = [list(HEADINGS), *[[text for text, _ in cells] for cells in table_cells(report.rows)]]
    plots = [f"![{form}](latency-{form}.png)" for form in dict.fromkeys(r["format"] for r in report.rows if r["ms"])]
    parts = [
        "# Comparison",
        "\n".join(f"- {line}" for line in answer(report.rows, report.budget)),
        _markdown_table(table),
        f"Accuracy: {accuracies}.",
        "## Exported and in agreement",
        _markdown_table(matrix(report.rows)),
        "## Plots",
        "\n".join([*plots, "![costs](costs.png)"]),
        "## How it was measured",
        "\n\n".join(METHOD),
        "\n".join(f"- {label}: {value}" for label, value in report.facts.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _markdown_table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
