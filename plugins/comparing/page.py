"""The report as one page of HTML that needs nothing else: styles, script, plots and photographs are inside it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from .choosing import Row
from .columns import ALWAYS, Column


@dataclass(frozen=True)
class Plot:
    """A figure as SVG, what it shows for those who do not see it, and the line below it."""

    svg: str
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Page:
    """What the page shows.

    `answer`, `warnings`, `notes` and `method` are sentences. `copies` has the table as text by the name of its format.
    `photos` has, by model, drawn images as JPEG. `facts` are labelled lines on how it was measured.
    """

    answer: Sequence[str]
    warnings: Sequence[str]
    notes: Sequence[str]
    columns: Sequence[Column]
    rows: Sequence[Row]
    copies: Mapping[str, str]
    plots: Sequence[Plot]
    photos: Mapping[str, Sequence[bytes]]
    method: Sequence[str]
    facts: Mapping[str, str]


def render(page: Page) -> str:
    """The whole page."""
    style, script = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    plots = "".join(map(_figure, page.plots)) or "<p>No file could be timed.</p>"
    sections = [
        _list("answer", page.answer),
        _section("Plots", f"<div class=plots>{plots}</div>"),
        _section("All figures", _figures(page)),
    ]
    if page.photos:
        sections.append(_section("Predictions on the same images, by torch", _gallery(page.photos)))
    lines = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in page.facts.items())
    sections.append(_section("How it was measured", f"{_paragraphs(page.method)}<dl>{lines}</dl>"))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>Comparison</title><style>{style}</style></head><body><main><h1>Comparison</h1>"
        f"{''.join(sections)}</main><script>{script}</script></body></html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _list(kind: str, lines: Sequence[str]) -> str:
    return f"<ul class={kind}>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def _paragraphs(lines: Sequence[str], kind: str = "") -> str:
    return "".join(f'<p class="{kind}">{_code(escape(line))}</p>' for line in lines)


def _code(text: str) -> str:
    return re.sub("`([^`]*)`", r"<code>\1</code>", text)


def _figures(page: Page) -> str:
    """The table, with what to know before it, and the buttons that copy it."""
    buttons = "".join(
        f'<button type="button" data-copies="copy-{i}">Copy as {escape(kind)}</button>'
        f'<textarea id="copy-{i}" hidden readonly aria-label="The table as {escape(kind)}">{escape(text)}</textarea>'
        for i, (kind, text) in enumerate(page.copies.items())
    )
    notes = [*page.notes, "Click a heading to sort. The best of a column is bold."]
    tools = f'<div class=tools>{buttons}<span role="status"></span></div>'
    return _list("warnings", page.warnings) + _paragraphs(notes, "note") + tools + _table(page.columns, page.rows)


def _table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    head = "".join(
        f'<th scope="col" data-better="{column.better}"><button type="button">{escape(column.heading)}</button></th>'
        for column in columns
    )
    body = "".join(f"<tr>{''.join(_cell(column, row) for column in columns)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(column: Column, row: Row) -> str:
    kind = "text" if column.key in ALWAYS else "number"
    if column.key == "state":
        kind += f" {row['state']}" if column.text(row) == row["state"] else " none"
    elif column.level(row):
        kind += " level"
    kind += " empty" if row[column.key] is None else ""
    key = "" if row[column.key] is None else escape(str(row[column.key]))
    detail = f"<small>{escape(said)}</small>" if (said := column.detail(row)) else ""
    label = escape(column.heading.replace("\xad", ""))
    return f'<td class="{kind}" data-label="{label}" data-key="{key}">{escape(column.text(row))}{detail}</td>'


def _figure(plot: Plot) -> str:
    drawn = plot.svg.replace("<svg ", f'<svg role="img" aria-label="{escape(plot.alt)}" ', 1)
    caption = f"<figcaption>{escape(plot.caption)}</figcaption>" if plot.caption else ""
    return f"<figure>{drawn}{caption}</figure>"


def _gallery(photos: Mapping[str, Sequence[bytes]]) -> str:
    columns = []
    for name, images in photos.items():
        pictures = "".join(
            f'<img alt="What {escape(name)} finds on image {i + 1}" '
            f'src="data:image/jpeg;base64,{base64.b64encode(image).decode()}">'
            for i, image in enumerate(images)
        )
        columns.append(f"<figure><figcaption>{escape(name)}</figcaption>{pictures}</figure>")
    return f'<div class="gallery">{"".join(columns)}</div>'
