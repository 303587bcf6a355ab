"""Measured times of blocks beside what they stand for: a file that the package brings, or none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("block_latency.json")
COMMAND = "python tests/benchmarks/block_latency.py"
"""What measures, and writes the file."""

RUNTIMES = {"onnx": "ONNX Runtime", "openvino": "OpenVINO", "ncnn": "NCNN"}
STRIDES = {8: 1, 16: 2, 32: 4}
"""Strides of an image of 640 px, and by how much the channels of a block's example grow there, as in a network."""

IMAGE = 640


def measured(file: Path | None = None) -> dict[str, Any]:
    """What was measured: "machine", and under "blocks" by name and stride the call, and by runtime times and ratio."""
    file = file or FILE
    if not file.exists():
        return {"machine": {}, "blocks": {}}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def written(results: Mapping[str, Any]) -> str:
    """What `measured` reads back, as text: blocks by name, so that files of two runs can be compared."""
    ordered = {"machine": results["machine"], "blocks": dict(sorted(results["blocks"].items()))}
    return json.dumps(ordered, ensure_ascii=False, indent=1) + "\n"


def table(results: Mapping[str, Any]) -> list[list[str]]:
    """A line for each runtime: how many times as fast a block is at each stride, with the interval."""
    rows = [["", *(f"stride {stride}" for stride in results)]]
    return rows + [[name, *(_cell(entry.get(key)) for entry in results.values())] for key, name in RUNTIMES.items()]


def _cell(times: Mapping[str, Any] | None) -> str:
    if times is None:
        return "–"
    if "error" in times:
        return f"not run: {times['error']}"
    interval = f" ({times['low']:.2f}–{times['high']:.2f})" if times.get("low") is not None else ""
    return f"{times['ratio']:.2f}×{interval}"
