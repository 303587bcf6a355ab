"""What is found of a cell's file: agreement with torch, and accuracy; each step kept once it is done."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import agreement
from .cells import Cell, opened
from .process import Worker, WorkerError
from .store import fingerprint
from .variants import Variant


def measure(cell: Cell, worker: Worker) -> None:
    """Hold the loaded cell's outputs and boxes against torch's, and validate it, unless that is known.

    A runtime that fails is a `WorkerError`; a validation that fails, a note.
    """
    setup, dataset = cell.setup, cell.setup.dataset
    key = f"measure/{fingerprint(cell.key, agreement.LIMITS, setup.threads, setup.checked)}"
    record = setup.store.get(key)
    if record is None:
        cell.say("comparing")
        record = _agreement(cell, worker)
        setup.store.put(key, record)
    cell.found |= record
    if dataset is None or not cell.model.accurate:
        return
    key = f"validate/{fingerprint(cell.key, dataset.source, dataset.state)}"
    accuracy = setup.store.get(key)
    if accuracy is None:
        cell.say("validating")
        try:
            accuracy = cell.ask(worker, "validate", data=dataset.source, project=str(setup.folder / "val"))
        except WorkerError as error:
            cell.found["accuracy_note"] = str(error)
            return
        setup.store.put(key, accuracy)
    cell.found |= accuracy


def _agreement(cell: Cell, worker: Worker) -> dict[str, Any]:
    model = cell.model
    answer = cell.ask(worker, "outputs", reference=model.reference)
    found: dict[str, Any] = {"memory": answer["memory"], "differences": {}, "same_boxes": None}
    ours = answer["outputs"]
    with np.load(model.reference) as arrays:
        theirs = {name: arrays[name] for name in sorted(arrays) if name.startswith("output")}
    if not theirs.keys() <= ours.keys():
        return {**found, "wrong": f"gives {len(ours)} outputs instead of torch's {len(theirs)}"}
    same = [ours[name] for name in theirs]
    try:
        differences = agreement.raw_differences(same, list(theirs.values()), model.facts["task"], model.facts["nc"])
    except ValueError as error:
        return {**found, "wrong": str(error)}
    found["differences"] = differences
    if not cell.variant.plain:
        return found | _with_fewer_bits(cell, worker, differences)
    if model.accurate:
        boxes = cell.ask(worker, "boxes")["boxes"]
        found["same_boxes"] = agreement.same_boxes(boxes, model.facts["boxes"], cell.setup.settings.conf)
    return {**found, "wrong": agreement.disagreement(differences, found["same_boxes"])}


def _with_fewer_bits(cell: Cell, worker: Worker, differences: dict[str, float]) -> dict[str, Any]:
    """By the final boxes of more images: raw outputs of 8 bits differ by more than any tolerance that tells anything.

    Without weights there are no boxes to find again, and outputs need only be numbers.
    """
    if not all(np.isfinite(difference) for difference in differences.values()):
        return {"wrong": "gives outputs that are no numbers"}
    if not cell.model.accurate:
        return {"wrong": ""}
    conf, images = cell.setup.settings.conf, cell.setup.checked
    faint = {"images": images, "conf": conf * agreement.FAINTEST}
    boxes = cell.ask(worker, "boxes", **faint)["boxes"]
    again = agreement.found_again(boxes, _torch_boxes(cell, faint), conf)
    return {"same_boxes": again.share, "shift": again.shift, "wrong": agreement.lost(again)}


def _torch_boxes(cell: Cell, faint: dict[str, Any]) -> list[Any]:
    """Torch's boxes of the images, unless they are known."""
    model, setup = cell.model, cell.setup
    key = f"boxes/{fingerprint(model.key, faint)}"
    record = setup.store.get(key)
    if record is None:
        with opened(Cell(model, Variant("torch"), setup, model.weights)) as worker:
            record = cell.ask(worker, "boxes", **faint)
        setup.store.put(key, record)
    return list(record["boxes"])
