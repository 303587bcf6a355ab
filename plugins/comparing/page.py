"""The report as one page of HTML that needs nothing else: styles, script, plots and photographs are inside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

Cell = tuple[str, float | str | None]


def render(
    answer: Sequence[str],
    headings: Sequence[str],
    cells: Sequence[Sequence[Cell]],
    plots: Mapping[str, str],
    costs: str,
    photos: Mapping[str, Sequence[bytes]],
    method: Sequence[str],
    facts: Mapping[str, str],
) -> str:
    """The whole page: sentences that it opens with; the table, what each cell shows and is sorted by; SVG by format and
    of the bars; by model, its drawn images as JPEG; paragraphs and labelled lines on how it was measured.
    """
    style, script = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    sections = [
        f"<ul class=answer>{''.join(f'<li>{escape(line)}</li>' for line in answer)}</ul>",
        _section("All figures", _table(headings, cells), "Click a heading to sort. The best of a column is bold."),
        _section("Accuracy against latency", _grid(plots), "Dashed: the Pareto front. Crosses: files that are wrong."),
        _section("What the models cost", f"<figure class=wide>{costs}</figure>"),
    ]
    if photos:
        sections.append(_section("Predictions on the same images, by torch", _gallery(photos)))
    lines = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in facts.items())
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in method)
    sections.append(_section("How it was measured", f"{paragraphs}<dl>{lines}</dl>"))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>Comparison</title><style>{style}</style></head><body><main><h1>Comparison</h1>"
        f"{''.join(sections)}</main><script>{script}</script></body></html>\n"
    )


def _section(title: str, content: str, note: str = "") -> str:
    hint = f"<p class=note>{escape(note)}</p>" if note else ""
    return f"<section><h2>{escape(title)}</h2>{hint}{content}</section>"


def _table(headings: Sequence[str], cells: Sequence[Sequence[Cell]]) -> str:
    head = "".join(f'<th scope="col"><button type="button">{escape(text)}</button></th>' for text in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in cells)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(cell: Cell) -> str:
    text, value = cell
    kind = "text" if isinstance(value, str) else "number"
    state = f" {value}" if value in ("ok", "wrong", "failed", "missing") else ""
    key = "" if value is None else escape(str(value))
    return f'<td class="{kind}{state}" data-key="{key}">{escape(text)}</td>'


def _grid(plots: Mapping[str, str]) -> str:
    if not plots:
        return "<p>No file could be timed.</p>"
    items = (f'<figure aria-label="{escape(form)}">{plot}</figure>' for form, plot in plots.items())
    return f'<div class="grid">{"".join(items)}</div>'


def _gallery(photos: Mapping[str, Sequence[bytes]]) -> str:
    columns = []
    for name, images in photos.items():
        pictures = "".join(
            f'<img alt="{escape(name)}, image {i + 1}" src="data:image/jpeg;base64,{base64.b64encode(image).decode()}">'
            for i, image in enumerate(images)
        )
        columns.append(f"<figure><figcaption>{escape(name)}</figcaption>{pictures}</figure>")
    return f'<div class="gallery">{"".join(columns)}</div>'
