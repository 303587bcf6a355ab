"""An ablation's files: report.md, table.tex, results.csv and results.json, each whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ..files import write_text
from . import table
from .results import Ablation


def write(done: Ablation, folder: Path) -> None:
    """Write all files.

    Raises:
        OSError: one cannot be written.
    """
    notes = table.notes(done)
    results = {"rows": done.rows, "notes": notes, "facts": dict(done.facts)}
    write_text(folder / "results.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write_text(folder / "results.csv", table.csv(done))
    write_text(folder / "table.tex", table.latex(done))
    parts = [f"# Ablation of {done.rows[0]['model']}", table.markdown(done), _listed(notes)]
    parts += ["## How it was done", _listed([f"{label}: {value}" for label, value in done.facts.items()])]
    write_text(folder / "report.md", "\n\n".join(parts) + "\n")


def told(done: Ablation, folder: Path | str) -> str:
    """The table, its notes, and where the files are, for a terminal."""
    files = f"written into {folder}: report.md, table.tex, results.csv, results.json"
    return "\n\n".join([table.text(done), _listed(table.notes(done)), files])


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
