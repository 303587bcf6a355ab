"""The table of the duel, from its rows."""

from collections.abc import Sequence
from typing import Any

from yolo_plugins.tables import markdown
from yolo_plugins.training.seeds import spread

OVER = 1.05
"""What takes longer than so many times the light model is over the budget."""
UNTRAINED = "transplanted, no epoch"
"""The way of the light model itself, whose milliseconds are the budget."""


def table(rows: Sequence[dict[str, Any]], splits: dict[str, str]) -> str:
    """Markdown: a row for each way of one light model, the mean of its seeds.

    Args:
        rows: As `duel.py` writes them.
        splits: Headings of mAP50-95, and the images it is of: `val`, which are held out, or `test`.
    """
    cells = [["way", *splits, "seeds", "ms", "minutes", "epochs of labels"]]
    budget = max(row["ms"] for row in rows if row["way"] == UNTRAINED)
    for way in dict.fromkeys(row["way"] for row in rows):
        own = [row for row in rows if row["way"] == way]
        scores = [str(spread({row["seed"]: row[split]["map"] for row in own})) for split in splits.values()]
        ms, minutes = (sum(row[key] for row in own) / len(own) for key in ("ms", "minutes"))
        over = ", over" if way != "teacher" and ms > OVER * budget else ""
        cells.append([way, *scores, str(len(own)), f"{ms:.1f}{over}", f"{minutes:.1f}", own[0]["labels"]])
    return markdown(cells, [len(splits) + i for i in (1, 2, 3)])


def merged(before: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one file with those of further runs, which stand for the same light model, way and seed."""

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["light"], row["way"], row["seed"]

    anew = {key(row): row for row in rows}
    kept = [anew.pop(key(row), row) for row in before]
    return [*kept, *anew.values()]
