"""The report's files: report.html, report.md, table.tex, results.csv, results.json and the plots as PNG."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from .. import tables
from ..files import write_bytes, write_text
from . import answering, columns, figures, page, words
from .agreement import FOUND_AGAIN, FOUND_SHARE, TOLERANCES
from .choosing import Budget, Row, winner
from .models import Model

METHOD = (
    "Models of one runtime are timed in turns (A B C A B C …) after a warm-up, one image at a time, each in a process "
    "of its own that waits while another runs. Times are medians with their quartiles. Speeds are taken round by "
    "round, as times as fast as the first model in the same runtime and in 32 bits: the median with its 95 % bootstrap "
    "interval; an interval that spans 1 shows no difference.",
    "Network: the runtime alone on a prepared image. End to end: with Ultralytics' letterbox and non-maximum "
    "suppression around it; budgets and rankings use this.",
    "A row without other words computes in 32 bits on the processor, whatever it could do with fewer. By default: the "
    "same file, computed as the runtime does by itself. By Ultralytics: `yolo export` with quantize=8 or 16 alone. By "
    "yolo-plugins: `yolo-plugins quantize`. Rows with fewer bits run as Ultralytics' own backend runs them.",
    "GFLOPs are 2 × multiply-adds of one image; parameters and GFLOPs are those before fusing. MB are 10⁶ bytes of all "
    "that an export wrote. Memory is the peak resident size of a process that holds the runtime and this model alone; "
    "for torch, and for formats that only Ultralytics' own backend runs, it includes Ultralytics.",
    f"Agreement in 32 bits: raw outputs on the same images against torch's, allowed differences boxes "
    f"{TOLERANCES['boxes']:g} px, scores {TOLERANCES['scores']:g}, masks {TOLERANCES['masks']:.0%} of their range; and "
    "with weights, the final boxes. A model without weights takes its batch norms' statistics from these images, so "
    f"that its outputs mean something to compare. With fewer bits, {FOUND_SHARE:.0%} of torch's final boxes must be "
    f"found again, of the same class and with an overlap of {FOUND_AGAIN:g}, at whatever confidence; how far the "
    "confidences moved is told apart.",
    "Accuracy is Ultralytics' val of the exported file, in the precision of its row for OpenVINO and with the settings "
    "that Ultralytics gives the other runtimes.",
)


def write(rows: Sequence[Row], models: Sequence[Model], budget: Budget, facts: Mapping[str, str], folder: Path) -> None:
    """Write all files, each whole or not at all; an `OSError` where one cannot be written."""
    names = [model.name for model in models]
    measured = [row for row in rows if row["ms"] is not None]
    overview = figures.overview(measured, names) if measured else None
    bars = figures.costs(_one_format(rows), names)
    pictures = {model.name: model.pictures for model in models if model.accurate}
    answer, warnings = answering.answer(rows, budget), answering.warnings(rows)
    if "instruction sets" in facts and any(row["recipe"] for row in rows):
        answer.append(f"What fewer bits bring depends on the processor; this one has {facts['instruction sets']}.")
    choice = {"answer": answer, "warnings": warnings, "budget": asdict(budget), "winner": winner(rows, budget)}
    results = {**choice, "rows": rows, "facts": facts}
    write_text(folder / "results.json", json.dumps(results, indent=1, ensure_ascii=False))
    write_text(folder / "results.csv", tables.table(rows, "csv") + "\n")
    copies = {
        "Markdown": tables.markdown(columns.plain(rows), columns.numeric(rows)),
        "LaTeX": tables.latex(columns.brief(rows), columns.numeric(rows)),
    }
    write_text(folder / "table.tex", copies["LaTeX"] + "\n")
    write_text(folder / "report.md", markdown(rows, answer, warnings, copies["Markdown"], facts))
    if overview:
        write_bytes(folder / "latency.png", figures.png(overview))
    write_bytes(folder / "costs.png", figures.png(bars))
    if pictures:
        write_bytes(folder / "predictions.png", figures.png(figures.predictions(pictures)))
    plots = (
        [page.Plot(figures.svg(overview, "latency"), figures.described(measured), _caption(measured))]
        if overview
        else []
    )
    plots.append(page.Plot(figures.svg(bars, "costs"), "Parameters, GFLOPs and size of each model, as in the table"))
    html = page.render(
        page.Page(
            answer=answer,
            warnings=warnings,
            notes=columns.notes(rows),
            columns=columns.columns(rows),
            rows=rows,
            copies=copies,
            plots=plots,
            photos={name: [path.read_bytes() for path in paths] for name, paths in pictures.items()},
            method=METHOD,
            facts=facts,
        )
    )
    write_text(folder / "report.html", html)


def _caption(rows: Sequence[Row]) -> str:
    """What the overview does not say by itself."""
    known = [row["map"] is not None for row in rows]
    return "On the axis: files whose accuracy is not known." if any(known) and not all(known) else ""


def _one_format(rows: Sequence[Row]) -> list[Row]:
    """A row of each model in 32 bits, in the first format that all of them have a file of, or else the first."""
    plain = [row for row in rows if not row["recipe"]]
    forms = list(dict.fromkeys(row["format"] for row in plain))
    by_form = [[row for row in plain if row["format"] == form] for form in forms]
    return next((own for own in by_form if all(row["mb"] is not None for row in own)), by_form[0])


def matrix(rows: Sequence[Row]) -> list[list[str]]:
    """Models against runtimes and precisions: the state of each file."""
    kinds = list(dict.fromkeys(_kind(row) for row in rows))
    states = {(row["model"], _kind(row)): row["state"] for row in rows}
    names = list(dict.fromkeys(row["model"] for row in rows))
    return [["", *kinds], *[[name, *(states.get((name, kind), words.NONE) for kind in kinds)] for name in names]]


def _kind(row: Row) -> str:
    return ", ".join(filter(None, (row["format"], words.precision(row))))


def markdown(
    rows: Sequence[Row], answer: Sequence[str], warnings: Sequence[str], table: str, facts: Mapping[str, str]
) -> str:
    """The report for a README or a thesis."""
    plots = ["![accuracy over milliseconds](latency.png)"] if any(row["ms"] for row in rows) else []
    parts = [
        "# Comparison",
        _bullets(answer),
        _bullets(warnings),
        table,
        "\n".join(columns.notes(rows)),
        "## Exported and in agreement",
        tables.markdown(matrix(rows)),
        "## Plots",
        "\n".join([*plots, "![parameters, GFLOPs and size](costs.png)"]),
        "## How it was measured",
        "\n\n".join(METHOD),
        _bullets([f"{label}: {value}" for label, value in facts.items()]),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
