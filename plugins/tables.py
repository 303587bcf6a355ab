"""Plain rows to text: numbers, changes and aligned columns."""

from __future__ import annotations

from collections.abc import Sequence


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
