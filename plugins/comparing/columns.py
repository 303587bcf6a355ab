"""The report's table: its columns, what their cells show, and the same as plain text for Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import words
from .choosing import Row
from .words import number, signed


def _nothing(row: Row) -> str:
    return ""


@dataclass(frozen=True)
class Column:
    """A heading, what its cells show and say below that in small print, and the row's figure that they are sorted by.

    `better` is "low" or "high" where one of the column is the best. `level` tells of a row whose figure shows no
    difference.
    """

    heading: str
    key: str
    text: Callable[[Row], str]
    detail: Callable[[Row], str] = _nothing
    better: str = ""
    level: Callable[[Row], bool] = lambda row: False

    def plain(self, row: Row) -> str:
        """A cell in one line."""
        detail = self.detail(row)
        return f"{self.text(row)} ({detail})" if detail else self.text(row)


def _speed(heading: str, key: str) -> Column:
    return Column(
        heading,
        key,
        lambda row: words.speed(row, key),
        lambda row: words.interval(row, key),
        level=lambda row: row[key] is not None and not words.shown_difference(row, key),
    )


def _time(heading: str, key: str) -> Column:
    return Column(heading, key, lambda row: number(row[key]), lambda row: words.interval(row, key, 1), "low")


def _number(heading: str, key: str, digits: int, better: str = "", scale: float = 1) -> Column:
    def text(row: Row) -> str:
        return number(None if row[key] is None else row[key] * scale, digits)

    return Column(heading, key, text, better=better)


ALWAYS = ("model", "format", "state")
"""Columns that stay though all their cells were empty."""


def columns(rows: Sequence[Row]) -> list[Column]:
    """The columns that have something to show."""
    tasks = {row["task"] for row in rows}
    accuracy = words.accuracy_name(*tasks) if len(tasks) == 1 else "accuracy"
    every = [
        Column("model", "model", lambda row: str(row["model"])),
        Column("runtime", "format", words.runtime, words.precision),
        Column(accuracy, "map", lambda row: number(row["map"], 3), words.seeds, "high"),
        _speed("times as fast", "speedup"),
        _time("ms", "ms"),
        _speed("network, times as fast", "network_speedup"),
        _time("network, ms", "network_ms"),
        _speed("times as fast as in 32 bits", "own_speedup"),
        Column("confi\xaddences", "conf_shift", lambda row: signed(row["conf_shift"])),
        _number("best thresh\xadold", "best_conf", 2),
        _number("MB", "mb", 1, "low"),
        _number("memory, MB", "memory_mb", 0, "low"),
        _number("params, M", "params", 2, "low", 1e-6),
        _number("GFLOPs", "gflops", 2, "low"),
        Column("as torch", "state", words.state, words.agreement),
    ]
    fewer = any(row["recipe"] for row in rows)
    return [
        column
        for column in every
        if column.key in ALWAYS
        or ((fewer or column.key != "best_conf") and any(row[column.key] is not None for row in rows))
    ]


def notes(rows: Sequence[Row]) -> list[str]:
    """What the headings mean."""
    first = rows[0]["model"]
    lines = [
        f"Times as fast: as {first} in the same runtime and in 32 bits, with the 95 % interval. ms: one image end to "
        "end, with Ultralytics' steps before and after the network, and quartiles.",
    ]
    if any(row["recipe"] for row in rows):
        lines.append(
            "Confidences: their median change against torch. Best threshold: where F1 is highest. As torch, with fewer "
            "bits: the final boxes that are found again."
        )
    return lines


def plain(rows: Sequence[Row]) -> list[list[str]]:
    """Headings and cells, each in one line."""
    shown = columns(rows)
    return [_headings(shown), *([column.plain(row) for column in shown] for row in rows)]


def brief(rows: Sequence[Row]) -> list[list[str]]:
    """The same without intervals and quartiles, for a page of print; the precision stays."""
    shown = columns(rows)
    return [
        _headings(shown),
        *([(c.plain if c.key == "format" else c.text)(row) for c in shown] for row in rows),
    ]


def _headings(shown: Sequence[Column]) -> list[str]:
    return [column.heading.replace("\xad", "") for column in shown]


def numeric(rows: Sequence[Row]) -> list[int]:
    """Positions of the columns of figures."""
    return [i for i, column in enumerate(columns(rows)) if column.key not in ALWAYS]
