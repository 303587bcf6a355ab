"""The lessons: every block alone, then all of them together, by AdamW under a cosine; an interrupted run goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..models.building import save_tensors
from ..training.norm_statistics import measured_norms
from .distances import Distance, unexplained
from .recording import Pair, Record
from .schedule import Progress, Schedule

WARM_UP = 20
SAVED_EVERY = 50
MEASURED = 8
"""Batches that the explained shares are measured on."""


@dataclass
class Position:
    """Where a run is: its phase, the steps done in it, the optimizer's state, and what the blocks explained alone."""

    phase: str = "blocks"
    step: int = 0
    optimizer: dict[str, Any] | None = None
    alone: dict[str, float] = field(default_factory=dict)


@dataclass
class Lessons:
    """One run over a pair whose student has what it begins with; `outputs` are matched too in the joint steps.

    Its position and the student are kept in `file`, if there is one, every 50 steps, until it ends.
    """

    pair: Pair
    outputs: Mapping[str, Distance]
    batches: Callable[[], Tensor]
    schedule: Schedule
    progress: Progress
    file: Path | None = None
    at: Position = field(default_factory=Position)

    def run(self) -> tuple[dict[str, float], dict[str, float]]:
        """Teach the student; returns what each block explains alone and in its place.

        Raises:
            ValueError: the file is of a run of other settings.
        """
        schedule, blocks = self.schedule, list(self.pair.blocks.values())
        self._go_on()
        if self.at.phase == "blocks":
            taught = [*blocks, *self.pair.heads.values()]
            self._teach(taught, self._blocks_loss, schedule.block_steps, schedule.block_lr)
            self.at = Position("joint", alone=explained(self.pair, self.batches, alone=True))
            self._recalibrate()
            self._save()
        self._teach([self.pair.student], self._joint_loss, schedule.joint_steps, schedule.joint_lr)
        self._recalibrate()
        in_place = explained(self.pair, self.batches, alone=False)
        if self.file is not None:
            self.file.unlink(missing_ok=True)
        return self.at.alone, in_place

    def _teach(self, modules: list[nn.Module], loss_of: Callable[[Tensor], Tensor], steps: int, lr: float) -> None:
        for module in modules:
            module.train()
        parameters = [p for m in modules for p in m.parameters() if p.is_floating_point()]
        for parameter in parameters:
            parameter.requires_grad_(True)
        optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=1e-2)
        if self.at.optimizer is not None:
            optimizer.load_state_dict(self.at.optimizer)
        for step in range(self.at.step, steps):
            for group in optimizer.param_groups:
                group["lr"] = lr * min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))
            loss = loss_of(self.batches())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 10.0)
            optimizer.step()
            self.progress(self.at.phase, step + 1, steps, loss.item())
            if (step + 1) % SAVED_EVERY == 0 and step + 1 < steps:
                self.at.step, self.at.optimizer = step + 1, optimizer.state_dict()
                self._save()

    def _blocks_loss(self, images: Tensor) -> Tensor:
        """Each block on its own: what the teacher's block was given, against what it made of it."""
        theirs = self.pair.theirs(images)
        losses = [unexplained(block(*theirs[name][0]), theirs[name][1]) for name, block in self.pair.blocks.items()]
        if self.pair.heads:
            losses.append(self._distance(self.pair.of_heads(theirs), theirs))
        return torch.stack(losses).sum()

    def _distance(self, ours: Record, theirs: Record) -> Tensor:
        """Of all outputs that both make: some parts of a head run in training alone, such as its one-to-many half."""
        targets = {name: output for name, (_, output) in theirs.items()}
        met = [name for name in self.outputs if name in ours and name in targets]
        return torch.stack([self.outputs[name](ours[name][1], targets[name], targets) for name in met]).sum()

    def _joint_loss(self, images: Tensor) -> Tensor:
        """All blocks in their places, and the outputs: what the teacher's made of an image, against what they make."""
        theirs, ours = self.pair.theirs(images), self.pair.ours(images)
        features = [unexplained(ours[name][1], theirs[name][1]) for name in self.pair.blocks]
        loss = self.schedule.features * torch.stack(features).mean() if features else images.new_zeros(())
        return loss + self.schedule.outputs * self._distance(ours, theirs) if self.outputs else loss

    @torch.no_grad()
    def _recalibrate(self) -> None:
        """Batch-norm statistics anew, as means over some batches: those kept were of weights that have moved on."""
        with measured_norms(self.pair.student):
            for _ in range(self.schedule.recalibration):
                self.pair.student(self.batches())

    def _plan(self) -> dict[str, Any]:
        return {**asdict(self.schedule), "names": list(self.pair.blocks)}

    def _save(self) -> None:
        """Position and student into the file, whole or not at all."""
        data = {**vars(self.at), "student": self.pair.student.state_dict(), "plan": self._plan()}
        if self.file is not None:
            save_tensors(data, self.file)

    def _go_on(self) -> None:
        """Take up position and student from the file, where there is one of this very plan."""
        if self.file is None or not self.file.is_file():
            return
        data = torch.load(self.file, map_location="cpu", weights_only=True)
        if data.pop("plan") != self._plan():
            raise ValueError(f"{self.file} is of a transplant with other settings; remove it to begin anew")
        self.pair.student.load_state_dict(data.pop("student"))
        self.at = Position(**data)
        torch.manual_seed(self.schedule.seed + self.at.step + 1)


@torch.no_grad()
def explained(pair: Pair, batches: Callable[[], Tensor], alone: bool) -> dict[str, float]:
    """1 − squared error / variance of each block's target, by itself or in its place; the student ends in eval mode."""
    error, total = dict.fromkeys(pair.blocks, 0.0), dict.fromkeys(pair.blocks, 0.0)
    pair.student.eval()
    for _ in range(MEASURED):
        images = batches()
        theirs = pair.theirs(images)
        ours = {} if alone else pair.ours(images)
        for name, block in pair.blocks.items():
            given, target = theirs[name]
            output = block(*given) if alone else ours[name][1]
            error[name] += float(((output - target) ** 2).sum())
            total[name] += float(((target - target.mean((0, 2, 3), keepdim=True)) ** 2).sum())
    return {name: 1 - error[name] / max(total[name], 1e-12) for name in pair.blocks}
