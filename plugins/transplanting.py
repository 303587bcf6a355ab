"""Trained weights that survive a swap: each light block learns to do what the block that it replaces did.

Needs images but no labels. First every block alone, from the teacher's own inputs to the teacher's own outputs; then
batch norms are recalibrated; then all of them together, on the teacher's feature maps and outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .conv import ConvBNAct
from .files import write
from .ghost import GhostConv
from .norm_statistics import measured_norms
from .places import conv_group, is_norm
from .registry import BLOCKS
from .tables import columns

Batches = Callable[[], Tensor]
Progress = Callable[[str, int, int, float], None]
Record = dict[str, tuple[tuple[Any, ...], Tensor]]
Distance = Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]
"""How far an output is from the teacher's, given all that was watched of the teacher."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: steps of a batch each, AdamW's learning rates (cosine, after a short warm-up), the seed.

    `outputs` weighs the model's outputs against its feature maps in the joint steps. `recalibration` is in batches.
    """

    block_steps: int = 80
    joint_steps: int = 1200
    block_lr: float = 1e-2
    joint_lr: float = 3e-3
    outputs: float = 1.0
    recalibration: int = 40
    seed: int = 0


@dataclass
class TransplantReport:
    """Share of its target's variance that each block explains: alone, on the teacher's inputs, after the block steps;
    and at the end, in its place, on what the blocks before it make."""

    alone: dict[str, float]
    in_place: dict[str, float] = field(default_factory=dict)
    copied: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        rows = [["block", "explained alone", "in place"]]
        rows += [[n, f"{v:.1%}", f"{self.in_place.get(n, math.nan):.1%}"] for n, v in self.alone.items()]
        copied, tensors = self.copied
        return f"{columns(rows, right=[1, 2])}\n\n{copied} of {tensors} tensors copied from the teacher"


def transplant(
    teacher: nn.Module,
    student: nn.Module,
    batches: Batches,
    names: Sequence[str] | None = None,
    schedule: Schedule | None = None,
    *,
    outputs: Mapping[str, Distance] | Sequence[str] = (),
    state: Path | None = None,
    progress: Progress | None = None,
) -> TransplantReport:
    """Train the swapped blocks of `student`, in place, to do what their counterparts in `teacher` do.

    Args:
        teacher: The trained model; left as it is.
        student: The same model with blocks swapped, by `replace` on a copy or built from an aligned YAML. Everything
            of the same name and shape is copied from the teacher first.
        batches: Gives a batch of images (B, C, H, W) at each call, as the models take them.
        names: Modules to train against those of the same name; by default every registered block in `student`.
        schedule: Steps and learning rates.
        outputs: Modules, not swapped, whose outputs the joint steps match too, such as a head's last convolutions; a
            mapping gives each its own distance, by default `unexplained`.
        state: A file to save progress to every 50 steps and to go on from; removed at the end.
        progress: Called after each step with phase, step, steps and loss.

    Raises:
        ValueError: nothing is swapped, a block without a counterpart, or one whose output has another shape.
    """
    schedule = schedule or Schedule()
    names = list(names) if names is not None else swapped_blocks(student)
    if not names:
        raise ValueError(f"{type(student).__name__} has no light block to train; swap some with replace() first")
    missing = [name for name in (*names, *outputs) if name not in dict(teacher.named_modules())]
    if missing:
        raise ValueError(f"{missing[0]} is in the student but not in the teacher; their modules must be aligned")
    modes = {m: m.training for m in teacher.modules()}
    trainable = {p: p.requires_grad for p in teacher.parameters()}
    torch.manual_seed(schedule.seed)
    named = outputs if isinstance(outputs, Mapping) else dict.fromkeys(outputs, _unexplained)
    distances: dict[str, Distance] = dict(named)
    try:
        teacher.eval().requires_grad_(False)
        return _Transplant(teacher, student, batches, names, distances, schedule, state, progress).run()
    finally:
        for module, training in modes.items():
            module.training = training
        for parameter, requires_grad in trainable.items():
            parameter.requires_grad_(requires_grad)


def swapped_blocks(model: nn.Module) -> list[str]:
    """Names of the registered blocks in a model, none inside another; a head is its branches, a map in and out each."""
    names: list[str] = []
    for name, module in model.named_modules():
        if type(module) not in BLOCKS.values() or any(name.startswith(f"{outer}.") for outer in names):
            continue
        names += [f"{name}.{branch}" for branch in getattr(module, "branches", list)()] or [name]
    return names


def last_replaced(teacher: nn.Module, student: nn.Module, name: str) -> str:
    """The teacher's module whose output a swapped block must give: its own, or the norm or activation taken into it."""
    parent, _, child = name.rpartition(".")
    theirs, ours = teacher.get_submodule(parent), student.get_submodule(parent)
    siblings = list(ours._modules)
    last = child
    for sibling in siblings[siblings.index(child) + 1 :]:
        if type(ours._modules[sibling]) is not nn.Identity or isinstance(theirs._modules.get(sibling), nn.Identity):
            break
        last = sibling
    return f"{parent}.{last}" if parent else last


def copy_untouched(teacher: nn.Module, student: nn.Module) -> tuple[int, int]:
    """Copy every tensor of the same name and shape; returns how many, of how many."""
    source, target = teacher.state_dict(), student.state_dict()
    same = {name: v for name, v in source.items() if name in target and target[name].shape == v.shape}
    student.load_state_dict(same, strict=False)
    return len(same), len(target)


@torch.no_grad()
def inherit(old: nn.Module, new: nn.Module) -> None:
    """Start a block from the filters and the batch norm of the one that it replaces, as far as they fit.

    A Ghost module's primary convolution is its output's first maps, so it begins as the first filters of the ordinary
    one, and an ordinary convolution as the whole of it; parts of the same name in a stage likewise. A block's last
    batch norms take scale and shift of the old one's, so that its output begins in the range of its target.
    """
    conv, norm = _convolution(old)
    if conv is None:
        ours = dict(new.named_children())
        for name, child in old.named_children():
            if name in ours:
                inherit(child, ours[name])
        return
    primary: Any = getattr(new, "primary", new if isinstance(new, ConvBNAct) else None)
    if primary is not None:
        m = primary.conv.out_channels
        if conv.weight[:m].shape == primary.conv.weight.shape:
            primary.conv.weight.copy_(conv.weight[:m])
            for part in ("running_mean", "running_var") if norm is not None else ():
                getattr(primary.bn, part).copy_(getattr(norm, part)[:m])
    if norm is None:
        return
    first = 0
    for own in _last_norms(new, conv.out_channels):
        given = norm.weight[first : first + own.num_features]
        own.weight[: len(given)] = given
        own.bias[: len(given)] = norm.bias[first : first + own.num_features]
        first += own.num_features


def _last_norms(block: nn.Module, channels: int) -> list[nn.BatchNorm2d]:
    """The batch norms that make a block's output: both of a Ghost module, of another the last, if its channels fit."""
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
    if isinstance(block, GhostConv):
        return norms
    return [m for m in norms[-1:] if m.num_features == channels]


def _convolution(module: nn.Module) -> tuple[nn.Conv2d | None, nn.BatchNorm2d | None]:
    """The convolution and batch norm that a module consists of, None for what it has not."""
    if isinstance(module, nn.Conv2d):
        return module, None
    group = conv_group(module)
    norm = next((m for m in module.children() if isinstance(m, nn.BatchNorm2d)), None)
    return (group[0], norm) if group else (None, None)


def unexplained(output: Tensor, target: Tensor) -> Tensor:
    """Squared error over the target's variance, per channel, averaged over the channels.

    Channels that hardly vary are measured against a tenth of the mean variance, or noise in them would rule.
    """
    dims = [d for d in range(target.dim()) if d != (1 if target.dim() > 3 else target.dim() - 1)]
    variance = target.var(dims)
    error = ((output - target) ** 2).mean(dims)
    return (error / (variance + 0.1 * variance.mean() + 1e-6)).mean()


def _unexplained(output: Tensor, target: Tensor, _: Mapping[str, Tensor]) -> Tensor:
    return unexplained(output, target)


class _Transplant:
    """One run: its phases, and what is saved of it between them."""

    def __init__(
        self,
        teacher: nn.Module,
        student: nn.Module,
        batches: Batches,
        names: list[str],
        outputs: dict[str, Distance],
        schedule: Schedule,
        state: Path | None,
        progress: Progress | None,
    ) -> None:
        self.teacher, self.student, self.batches = teacher, student, batches
        self.names, self.outputs, self.schedule, self.state = names, outputs, schedule, state
        self.progress = progress or (lambda *_: None)
        self.theirs, self.ours = dict(teacher.named_modules()), dict(student.named_modules())
        self.targets = {name: last_replaced(teacher, student, name) for name in names}
        self.report = TransplantReport({}, copied=copy_untouched(teacher, student))

    def run(self) -> TransplantReport:
        self._check_shapes()
        for name in self.names:
            inherit(self._measured(self._replaced(name)), self.ours[name])
        saved = self._saved()
        if saved["phase"] == "blocks":
            self._train("blocks", self.schedule.block_steps, self.schedule.block_lr, self._block_losses, saved)
            self.report.alone = self._explained(alone=True)
            self._recalibrate()
            saved = {"phase": "joint", "step": 0, "optimizer": None}
            self._save(**saved)
        self._train("joint", self.schedule.joint_steps, self.schedule.joint_lr, self._joint_loss, saved)
        self._recalibrate()
        self.report.in_place = self._explained(alone=False)
        self.student.eval()
        if self.state:
            self.state.unlink(missing_ok=True)
        return self.report

    def _replaced(self, name: str) -> nn.Module:
        """What a block stands for: a module, or a convolution with the norm and activation that came after it."""
        parent, _, last = self.targets[name].rpartition(".")
        if self.targets[name] == name:
            return self.theirs[name]
        siblings = self.teacher.get_submodule(parent)._modules
        span = list(siblings)[list(siblings).index(name.rpartition(".")[2]) :]
        return nn.Sequential(*[m for n in span[: span.index(last) + 1] if (m := siblings[n]) is not None])

    def _measured(self, old: nn.Module) -> nn.Module:
        """A convolution with a batch norm whose scale and shift are those that its output has on a batch of images.

        They are its own norm's, where it has one and its statistics fit the images.
        """
        conv, _ = _convolution(old)
        if conv is None:
            return old
        norm: Any = next((m for m in old.children() if is_norm(m)), conv)
        with recorded({"conv": conv, "norm": norm}, ["conv", "norm"]) as record, torch.no_grad():
            self.teacher(self.batches())
        before, after = record["conv"][1], record["norm"][1]
        measured = nn.BatchNorm2d(after.shape[1]).to(after.device, after.dtype)
        measured.running_mean, measured.running_var = before.mean((0, 2, 3)), before.var((0, 2, 3))
        sign = 1 if norm is conv else torch.where(norm.weight < 0, -1, 1)
        measured.weight.data, measured.bias.data = sign * after.std((0, 2, 3)), after.mean((0, 2, 3))
        return nn.Sequential(conv, measured)

    def _check_shapes(self) -> None:
        with recorded(self.theirs, self.names, self.targets) as theirs, torch.no_grad():
            self.teacher(self.batches())
            self.student.eval()
            for name in self.names:
                if name not in theirs:
                    raise ValueError(f"{name} does not run when the model does, so there is nothing to learn from")
                check_shape(name, self.theirs[name], self.ours[name], *theirs[name])

    def _block_losses(self, images: Tensor) -> Tensor:
        """Each block on its own: what the teacher's block was given, against what it made of it."""
        with recorded(self.theirs, self.names, self.targets) as theirs, torch.no_grad():
            self.teacher(images)
        losses = [unexplained(self.ours[n](*theirs[n][0]), theirs[n][1]) for n in self.names]
        return torch.stack(losses).sum()

    def _joint_loss(self, images: Tensor) -> Tensor:
        watched = [*self.names, *self.outputs]
        with recorded(self.theirs, watched, self.targets) as theirs, torch.no_grad():
            self.teacher(images)
        with recorded(self.ours, watched) as ours:
            self.student(images)
        targets = {name: output for name, (_, output) in theirs.items()}
        features = torch.stack([unexplained(ours[n][1], targets[n]) for n in self.names]).mean()
        # Some parts of a head run in training alone, such as its one-to-many half.
        met = [name for name in self.outputs if name in ours and name in targets]
        distances = [
            self.outputs[n](ours[n][1], targets[n], targets) for n in met if ours[n][1].shape == targets[n].shape
        ]
        return features + self.schedule.outputs * torch.stack(distances).sum() if distances else features

    def _train(
        self, phase: str, steps: int, lr: float, loss_of: Callable[[Tensor], Tensor], saved: dict[str, Any]
    ) -> None:
        modules = [self.ours[n] for n in self.names] if phase == "blocks" else [self.student]
        for module in modules:
            module.train()
        parameters = [p for m in modules for p in m.parameters() if p.is_floating_point()]
        for parameter in parameters:
            parameter.requires_grad_(True)
        optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=1e-2)
        if saved["optimizer"] is not None:
            optimizer.load_state_dict(saved["optimizer"])
        for step in range(saved["step"], steps):
            for group in optimizer.param_groups:
                group["lr"] = lr * min(1.0, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * step / steps))
            loss = loss_of(self.batches())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 10.0)
            optimizer.step()
            self.progress(phase, step + 1, steps, loss.item())
            if (step + 1) % 50 == 0 and step + 1 < steps:
                self._save(phase, step + 1, optimizer.state_dict())

    @torch.no_grad()
    def _recalibrate(self) -> None:
        """Batch-norm statistics anew, as means over some batches: those kept were of weights that have moved on."""
        with measured_norms(self.student):
            for _ in range(self.schedule.recalibration):
                self.student(self.batches())

    @torch.no_grad()
    def _explained(self, alone: bool) -> dict[str, float]:
        """1 − squared error / variance of each block's target, over eight batches."""
        error, total = dict.fromkeys(self.names, 0.0), dict.fromkeys(self.names, 0.0)
        self.student.eval()
        for _ in range(8):
            images = self.batches()
            with recorded(self.theirs, self.names, self.targets) as theirs:
                self.teacher(images)
            with recorded(self.ours, self.names) as ours:
                if alone:
                    for name in self.names:
                        self.ours[name](*theirs[name][0])
                else:
                    self.student(images)
            for name in self.names:
                target = theirs[name][1]
                error[name] += float(((ours[name][1] - target) ** 2).sum())
                total[name] += float(((target - target.mean((0, 2, 3), keepdim=True)) ** 2).sum())
        return {name: 1 - error[name] / max(total[name], 1e-12) for name in self.names}

    def _save(self, phase: str, step: int, optimizer: Any) -> None:
        if self.state is None:
            return
        data = {
            "phase": phase,
            "step": step,
            "optimizer": optimizer,
            "student": self.student.state_dict(),
            "alone": self.report.alone,
            "plan": {**asdict(self.schedule), "names": self.names},
        }
        save(data, self.state)

    def _saved(self) -> dict[str, Any]:
        """Where to begin: at what was saved, if it is of this very plan."""
        fresh = {"phase": "blocks", "step": 0, "optimizer": None}
        if self.state is None or not self.state.is_file():
            return fresh
        data = torch.load(self.state, map_location="cpu", weights_only=True)
        if data["plan"] != {**asdict(self.schedule), "names": self.names}:
            raise ValueError(f"{self.state} is of a transplant with other settings; remove it to begin anew")
        self.student.load_state_dict(data["student"])
        self.report.alone = data["alone"]
        torch.manual_seed(self.schedule.seed + data["step"] + 1)
        return {key: data[key] for key in fresh}


def save(data: dict[str, Any], path: Path) -> None:
    """`torch.save`, whole or not at all."""

    def to(file: Path) -> None:
        with open(file, "wb") as stream:  # torch refuses some names of hidden files
            torch.save(data, stream)

    write(path, to)


def check_shape(name: str, old: nn.Module, new: nn.Module, given: tuple[Any, ...], target: Tensor) -> None:
    """Refuse a module that makes another shape of what the one it replaces was given.

    Raises:
        ValueError: channels or stride differ, with both shapes.
    """
    try:
        shape = tuple(new(*given).shape)
    except RuntimeError as error:
        raise ValueError(
            f"{name}: {type(new).__name__} cannot take what the teacher's {type(old).__name__} takes: {error}"
        ) from error
    if shape != tuple(target.shape):
        raise ValueError(
            f"{name}: {type(new).__name__} makes {_shape(shape)} of an input of which the teacher's "
            f"{type(old).__name__} makes {_shape(tuple(target.shape))}; channels and strides must be the same"
        )


@contextmanager
def recorded(
    modules: dict[str, nn.Module], names: Sequence[str], targets: Mapping[str, str] | None = None
) -> Iterator[Record]:
    """Inputs and output of the named modules while the model runs; the outputs those of `targets`, where they are."""
    inputs: dict[str, tuple[Any, ...]] = {}
    record: Record = {}

    def keep_inputs(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        return lambda _, given: inputs.__setitem__(name, given)

    def keep_output(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def keep(_: nn.Module, __: tuple[Any, ...], output: Any) -> None:
            # A copy, as what comes next may work in place: an activation, or a sum with the shortcut.
            record[name] = inputs[name], output.clone() if isinstance(output, Tensor) else output

        return keep

    hooks = [modules[name].register_forward_pre_hook(keep_inputs(name)) for name in names]
    hooks += [modules[(targets or {}).get(name, name)].register_forward_hook(keep_output(name)) for name in names]
    try:
        yield record
    finally:
        for hook in hooks:
            hook.remove()


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape[1:]))})"
