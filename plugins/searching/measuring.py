"""Rows and whole models timed in one interleaved run, each round kept on disk as soon as it is done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from ..comparing import Bench, Ratio, Store, fingerprint, ratio
from ..swapping.row_edits import RowEdit
from ..transplanting.students import one_scale
from .candidates import STOCK
from .finding import Alone, Choice
from .networks import deployed, edited, image, inputs_of_rows, row_alone
from .progress import Line
from .settings import Settings

WARM_UP = 2
QUARTILE = 25
"""Of a network's rounds, in per cent: what other programs add only ever makes it slower."""

Timed = Mapping[str, list[float]]


@dataclass(frozen=True)
class Net:
    """What is timed: its row edits, the row alone or None for the whole model, and how it is made with its inputs."""

    edits: Sequence[RowEdit]
    row: int | None
    make: Callable[[], tuple[Any, list[Tensor]]]


@dataclass
class Machine:
    """The base model on one machine in one runtime; tells what the search asks for (`finding.Measure`).

    Attributes:
        base: The network whose rows are replaced.
        edits: By block and row, what puts it there.
        where: Whatever a time depends on beside the network and the settings: machine, versions.
        beside: For each choice measured, how many times as fast as stock it was, side by side.
    """

    base: Any
    edits: Mapping[str, Mapping[int, RowEdit]]
    settings: Settings
    store: Store
    where: Any
    line: Line
    beside: list[Ratio] = field(default_factory=list)
    _stock: float = 0.0
    _made: dict[str, Any] = field(default_factory=dict)

    def calibration(self, models: Sequence[Choice]) -> tuple[Alone, dict[int, float]]:
        """Milliseconds of each block at each row alone, and of whole models by their number, all of them in one run."""
        inputs = inputs_of_rows(self.base, self.settings.imgsz)
        pairs = [(i, name) for i in models[0] for name in (STOCK, *(n for n, rows in self.edits.items() if i in rows))]
        nets = {f"row {i}, {name}": self._row(i, name, inputs[i]) for i, name in pairs}
        nets |= {f"model {number}": self._whole(model) for number, model in enumerate(models)}
        times = self._rounds("timing", nets)
        self._made.clear()
        alone = {(i, name): _typical(times[key]) for i, name in pairs if (key := f"row {i}, {name}") in times}
        whole = {n: _typical(times[key]) for n in range(len(models)) if (key := f"model {n}") in times}
        self._stock = whole[0]
        return alone, whole

    def model(self, choice: Choice) -> float:
        """Milliseconds of a whole model: the calibration's of stock, as many times as beside it in this run."""
        if not self.edits_of(choice):
            self.beside.append(Ratio(1.0, None, None))
            return self._stock
        times = self._rounds("timing the choice", {STOCK: self._whole({}), "choice": self._whole(choice)})
        self.beside.append(ratio(times[STOCK], times["choice"]))
        return self._stock * _typical(times["choice"]) / _typical(times[STOCK])

    def edits_of(self, choice: Choice) -> list[RowEdit]:
        """What makes the choice of the base."""
        return [self.edits[name][i] for i, name in choice.items() if name != STOCK]

    def _whole(self, choice: Choice) -> Net:
        edits = self.edits_of(choice)
        return Net(edits, None, lambda: (self._deployed(edits), [image(self.base, self.settings.imgsz)]))

    def _row(self, i: int, name: str, inputs: list[Tensor]) -> Net:
        """The row out of a model that has the block wherever it fits, which is made once for all its rows."""

        def make() -> tuple[Any, list[Tensor]]:
            if name not in self._made:
                self._made[name] = self._deployed([] if name == STOCK else list(self.edits[name].values()))
            return row_alone(self._made[name], i, inputs), inputs

        return Net([] if name == STOCK else [self.edits[name][i]], i, make)

    def _deployed(self, edits: Sequence[RowEdit]) -> Any:
        return deployed(edited(self.base, edits), self.settings.runtime, self.settings.imgsz)

    def _rounds(self, stage: str, nets: Mapping[str, Net]) -> Timed:
        """Times of networks in turns, round by round; rounds that are kept from before are not repeated.

        What the runtime cannot run is left out with a line that says why.

        Raises:
            RuntimeError: the stock model is what it cannot run.
        """
        runtime, threads, rounds = self.settings.runtime, self.settings.threads, self.settings.rounds
        about = {name: (net.row, [repr(edit) for edit in net.edits]) for name, net in nets.items()}
        base = one_scale(self.base.yaml)
        group = fingerprint(self.where, base, runtime, threads, self.settings.cpu_time, self.settings.imgsz, about)
        kept: list[dict[str, Any]] = []
        while len(kept) < rounds and (record := self.store.get(f"round/{group}/{len(kept)}")) is not None:
            kept.append(record)
        if len(kept) < rounds:
            files = self.settings.folder / "files" / group
            with Bench(runtime, threads, files, self.settings.cpu_time) as bench:
                self._load(bench, nets)
                for number in range(len(kept) - WARM_UP, rounds):
                    self.line.step(stage, max(number, 0) + 1, rounds)
                    times = bench.round()
                    if number >= len(kept):
                        self.store.put(f"round/{group}/{number}", times)
                        kept.append(times)
            shutil.rmtree(files)
        return {name: [record[name] for record in kept] for name in nets if all(name in record for record in kept)}

    def _load(self, bench: Bench, nets: Mapping[str, Net]) -> None:
        for number, (name, net) in enumerate(nets.items(), 1):
            self.line.step("exporting", number, len(nets), name)
            try:
                bench.add(name, *net.make(), key=fingerprint(name))
            except RuntimeError as error:
                if not net.edits:
                    raise RuntimeError(f"{self.settings.runtime} cannot run {name}: {error}") from error
                self.line.say(f"{name} is left out, since {self.settings.runtime} cannot run it: {error}")


def _typical(values: Sequence[float]) -> float:
    return float(np.percentile(values, QUARTILE))
