"""Plain rows to text: numbers, changes, aligned columns, tables in the formats that people paste, and in pages."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

FORMATS = ("text", "markdown", "latex", "json", "csv")

SYMBOLS = {
    "×": r"$\times$", "±": r"$\pm$", "−": "$-$", "–": "--", "≤": r"$\leq$", "≥": r"$\geq$", "→": r"$\rightarrow$",
    "✓": r"$\checkmark$", "…": r"\ldots{}", "²": "$^2$", "Δ": r"$\Delta$",
}  # fmt: skip
"""What tables hold and LaTeX does not read as it stands; the tick takes amssymb."""


def change(new: float, old: float) -> str:
    """Relative change in whole per cent, such as −40 %."""
    if not old:
        return "–"
    percent = round(100 * (new - old) / old)
    return f"{'+' if percent > 0 else '−' if percent < 0 else '±'}{abs(percent)} %"


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = (), centre: Sequence[int] = ()) -> str:
    """Rows as lines with aligned columns, two spaces apart; the first row is the heading.

    Args:
        rows: Cells, as many in each row.
        right: Numbers of the columns to align to the right.
        centre: Numbers of those in whose middle the cells are.
    """
    from tabulate import tabulate

    sides = _sides(len(rows[0]), right, centre)
    text = tabulate(rows, tablefmt="plain", colalign=sides, disable_numparse=True, preserve_whitespace=True)
    return "\n".join(line.rstrip() for line in text.splitlines())


def markdown(rows: Sequence[Sequence[str]], right: Sequence[int] = (), centre: Sequence[int] = ()) -> str:
    """Rows as a Markdown table, as `columns` takes them; cells are not padded, so that a pasted row stays as it is."""
    rules = {"left": "---", "right": "--:", "center": ":-:"}
    rule = [rules[side] for side in _sides(len(rows[0]), right, centre)]
    head, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *body])


def latex(rows: Sequence[Sequence[str]], right: Sequence[int] = (), centre: Sequence[int] = ()) -> str:
    """Rows as a LaTeX `tabular` with the rules of booktabs, as `columns` takes them; special characters are escaped.

    A cell between two pairs of stars, as Markdown has it, is bold.
    """
    from tabulate import tabulate

    head, *body = rows
    sides = _sides(len(head), right, centre)
    text = tabulate(body, head, tablefmt="latex_booktabs", colalign=sides, disable_numparse=True)
    for symbol, written in SYMBOLS.items():
        text = text.replace(symbol, written)
    text = re.sub(r"\*\*([^*]+)\*\*", r"\\textbf{\1}", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def _sides(count: int, right: Sequence[int], centre: Sequence[int]) -> list[str]:
    return ["right" if i in right else "center" if i in centre else "left" for i in range(count)]


def table(rows: Sequence[Mapping[str, Any]], style: str = "text") -> str:
    """Rows of raw values as text, Markdown, LaTeX, JSON or CSV; digits are grouped only where people read them.

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
    cells = [headings, *([_shown(row.get(heading)) for heading in headings] for row in rows)]
    return {"markdown": markdown, "latex": latex}.get(style, columns)(cells, numeric)


def part_of(page: str, name: str) -> str:
    """What a page has between `<!-- name -->` and `<!-- /name -->`, each a line of its own.

    Raises:
        ValueError: it lacks one of them.
    """
    begin, end = _place(page, name)
    return page[begin:end]


def with_part(page: str, name: str, part: str) -> str:
    """The page with another text there.

    Raises:
        ValueError: as `part_of`.
    """
    begin, end = _place(page, name)
    after = page[end:].removeprefix("\n")
    return f"{page[:begin]}{part}\n{after}"


def _place(page: str, name: str) -> tuple[int, int]:
    found = re.search(rf"(?<=<!-- {name} -->\n).*?(?=\n?<!-- /{name} -->)", page, re.DOTALL)
    if found is None:
        raise ValueError(f"it lacks <!-- {name} --> or its end, <!-- /{name} -->")
    return found.span()


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return "–" if value is None else f"{value:,}" if _is_number(value) else str(value)
