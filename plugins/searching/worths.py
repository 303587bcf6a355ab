"""What a block is worth at a row: what it learns there of the stock row, or a guess from its multiply-adds."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..blocks.counting import multiply_adds
from ..comparing import Store, fingerprint
from ..swapping.row_edits import RowEdit
from ..training.images import find_images, image_batches
from ..transplanting.schedule import Schedule
from ..transplanting.transplanting import transplant
from .candidates import STOCK
from .finding import Worth
from .networks import edited, inputs_of_rows
from .progress import Line

LESSON = 320
"""Pixels of the images that blocks are taught on, at most."""

Edits = Mapping[str, Mapping[int, RowEdit]]


def guessed(base: Any, edits: Edits, imgsz: int) -> Worth:
    """The root of the share of the stock row's multiply-adds that a block keeps, at most 1."""
    inputs = inputs_of_rows(base, imgsz)
    rows = sorted({i for found in edits.values() for i in found})
    given = {i: inputs[i] if len(inputs[i]) > 1 else inputs[i][0] for i in rows}
    stock = {i: multiply_adds(base.model[i], given[i]) for i in rows}
    worth = {i: {STOCK: 1.0} for i in rows}
    for name, found in edits.items():
        network = edited(base, found.values())
        for i in found:
            worth[i][name] = min(1.0, multiply_adds(network.model[i], given[i]) / stock[i]) ** 0.5
    return worth


def taught(base: Any, edits: Edits, images: Path, steps: int, imgsz: int, store: Store, key: Any, line: Line) -> Worth:
    """The share of the stock row's variance that each block explains after a short lesson, from images without labels.

    A head whose branches share layers has no maps of the stock head's to learn alone: what it is worth is guessed.

    Raises:
        ValueError, OSError: no images, or one that cannot be read.
    """
    files = find_images(images)
    worth = {i: {STOCK: 1.0} for i in sorted({i for found in edits.values() for i in found})}
    for number, (name, found) in enumerate(edits.items(), 1):
        line.step("teaching", number, len(edits), name)
        about = (key, [str(file) for file in files], steps, imgsz, [repr(edit) for edit in found.values()])
        record = store.get(f"taught/{fingerprint(*about)}")
        if record is None:
            batches = image_batches(files, min(imgsz, LESSON), 8)
            schedule = Schedule(block_steps=steps, joint_steps=0, recalibration=8)
            report = transplant(base, copy.deepcopy(edited(base, found.values())), batches, schedule=schedule)
            record = {}
            for i in found:
                shares = [max(0.0, v) for part, v in report.alone.items() if part.split(".")[1] == str(i)]
                if not shares:
                    line.say(f"row {i}, {name}: shares layers between its outputs and is not taught alone; guessed")
                    record[str(i)] = guessed(base, {name: {i: found[i]}}, imgsz)[i][name]
                    continue
                record[str(i)] = sum(shares) / len(shares)
            store.put(f"taught/{fingerprint(*about)}", record)
        for i in found:
            worth[i][name] = record[str(i)]
    return worth
