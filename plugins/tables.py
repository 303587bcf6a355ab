"""Plain rows to text: numbers, changes, aligned columns, and tables in the formats that people paste."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any


def change(new: float, old: float) -> str:
    """Relative change in whole per cent, such as −40 %."""
    if not old:
        return "–"
    percent = round(100 * (new - old) / old)
    return f"{'+' if percent > 0 else '−' if percent < 0 else '±'}{abs(percent)} %"


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows as lines with aligned columns, two spaces apart; the first row is the heading.

    Args:
        rows: Cells, as many in each row.
        right: Numbers of the columns to align to the right.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = zip(row, widths, strict=True)
        return "  ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(cells)).rstrip()

    return "\n".join(map(line, rows))


FORMATS = ("text", "markdown", "json", "csv")


def table(rows: Sequence[Mapping[str, Any]], style: str = "text") -> str:
    """Rows of raw values as text, Markdown, JSON or CSV; digits are grouped only where people read them.

    Args:
        rows: Heading → value; the headings are those of all rows in the order in which they come up.
        style: One of `FORMATS`.
    """
    headings = list(dict.fromkeys(heading for row in rows for heading in row))
    if style == "json":
        return json.dumps(list(rows), ensure_ascii=False, indent=2)
    if style == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, headings, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().rstrip("\n")
    numeric = [i for i, heading in enumerate(headings) if any(_is_number(row.get(heading)) for row in rows)]
    cells = [[_shown(row.get(heading)) for heading in headings] for row in rows]
    if style == "markdown":
        rule = ["--:" if i in numeric else "---" for i in range(len(headings))]
        return "\n".join(f"| {' | '.join(line)} |" for line in [headings, rule, *cells])
    return columns([headings, *cells], right=numeric)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return "–" if value is None else f"{value:,}" if _is_number(value) else str(value)
