"""How far a block's or a head's output is from the teacher's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Distance = Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]
"""How far an output is from the teacher's, given all that was watched of the teacher."""

BOX, CLASS, DISTRIBUTION = 7.5, 0.5, 1.5
"""Weights of overlap, classes and the sides' distributions, those of Ultralytics' own loss."""


def unexplained(output: Tensor, target: Tensor, _: Mapping[str, Tensor] | None = None) -> Tensor:
    """Squared error over the target's variance, per channel, averaged over the channels.

    Channels that hardly vary are measured against a tenth of the mean variance, or noise in them would rule.
    """
    dims = [d for d in range(target.dim()) if d != (1 if target.dim() > 3 else target.dim() - 1)]
    variance = target.var(dims)
    error = ((output - target) ** 2).mean(dims)
    return (error / (variance + 0.1 * variance.mean() + 1e-6)).mean()


def predictions(teacher: Any, student: Any) -> dict[str, Distance]:
    """Of two Ultralytics models, whose head is their last row: as `of_head`."""
    return of_head(f"model.{len(teacher.model) - 1}", teacher.model[-1], student.model[-1])


def of_head(head: str, theirs: nn.Module, student: nn.Module) -> dict[str, Distance]:
    """The parts of an Ultralytics head that make its outputs, and how far each is from the teacher's.

    Boxes where the teacher sees something, whatever the two heads' distributions; classes everywhere; coefficients of
    masks, keypoints and angles where it sees something; prototypes everywhere; a classifier's probabilities. Of a head
    of another kind, its last layers — what has a bias — by their variance. What the two make in other shapes is left.
    """
    ours = dict(student.named_modules())
    if all(isinstance(getattr(theirs, name, None), nn.ModuleList) for name in ("cv2", "cv3")):
        found = dict(_of_maps(head, theirs))
    else:
        parts = {n: m for n, m in theirs.named_modules() if isinstance(m, nn.Conv2d | nn.Linear) and m.bias is not None}
        found = {f"{head}.{name}": unexplained for name in parts}
        if isinstance(getattr(theirs, "linear", None), nn.Linear):
            found = {f"{head}.linear": _probabilities}
    known: dict[str, Distance] = {}
    for name, distance in found.items():
        part = name.removeprefix(f"{head}.")
        boxes = isinstance(distance, partial) and distance.func is _boxes
        if part in ours and (boxes or _width(ours[part]) == _width(theirs.get_submodule(part))):
            known[name] = distance
    return known


def _of_maps(head: str, module: nn.Module) -> Sequence[tuple[str, Distance]]:
    """Of a head with branches for each map: `cv2` for boxes, `cv3` for classes, others beside them."""
    found: list[tuple[str, Distance]] = []
    for name, branches in module.named_children():
        half = "one2one_" if name.startswith("one2one_") else ""
        if isinstance(branches, nn.ModuleList) and name.startswith(f"{half}cv"):
            classes = [f"{head}.{half}cv3.{i}" for i in range(len(branches))]
            for i in range(len(branches)):
                kind = name.removeprefix(half)
                distance: Distance = partial(_classes, all_classes=classes)
                if kind == "cv2":
                    distance = partial(_boxes, classes=classes[i], all_classes=classes)
                elif kind != "cv3":
                    distance = partial(_where_seen, classes=classes[i])
                found.append((f"{head}.{name}.{i}", distance))
        elif name == "proto":
            found.append((f"{head}.proto", unexplained))
    return found


def _width(module: nn.Module) -> int:
    """Channels that come out of a module, 0 if it has no layer that says so."""
    last = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)][-1:]
    return sum(m.out_channels if isinstance(m, nn.Conv2d) else m.out_features for m in last)


def _confidence(classes: Tensor) -> Tensor:
    """(B, 1, H, W), of the likeliest class."""
    return classes.sigmoid().amax(1, keepdim=True)


def _seen(watched: Mapping[str, Tensor], all_classes: Sequence[str]) -> Tensor:
    """The teacher's confidences, summed over the maps of a half, and no less than one."""
    return torch.stack([_confidence(watched[name]).sum() for name in all_classes]).sum().clamp(min=1.0)


def _classes(output: Tensor, target: Tensor, watched: Mapping[str, Tensor], all_classes: Sequence[str]) -> Tensor:
    """Cross-entropy with the teacher's probabilities, over what the teacher sees on all maps, as Ultralytics' loss."""
    entropy = functional.binary_cross_entropy_with_logits(output, target.sigmoid(), reduction="sum")
    return CLASS * entropy / _seen(watched, all_classes)


def _boxes(
    output: Tensor, target: Tensor, watched: Mapping[str, Tensor], classes: str, all_classes: Sequence[str]
) -> Tensor:
    """What the decoded boxes do not share, and the divergence of their sides' distributions, weighed by confidence.

    Both boxes have the same anchor, so their overlap follows from the four distances alone.
    """
    ours, theirs = _sides(output), _sides(target)
    share = _confidence(watched[classes])[:, 0] / _seen(watched, all_classes)
    apart = BOX * (1 - _overlap(ours.mean_distance, theirs.mean_distance))
    if ours.log is not None and theirs.log is not None:
        wanted = rebinned(theirs.log.exp(), ours.log.shape[2])
        divergence = (wanted * (wanted.clamp(min=1e-9).log() - ours.log)).sum(2).mean(1)
    else:
        divergence = functional.smooth_l1_loss(ours.mean_distance, theirs.mean_distance, reduction="none").mean(1)
    return ((apart + DISTRIBUTION * divergence) * share).sum()


class _sides:
    """The four sides' distances from the anchor in strides, (B, 4, H, W), and their log-distributions, if there are."""

    def __init__(self, raw: Tensor) -> None:
        b, c, h, w = raw.shape
        self.log = raw.view(b, 4, c // 4, h, w).log_softmax(2) if c > 4 else None
        steps = torch.arange(c // 4, device=raw.device, dtype=raw.dtype).view(1, 1, -1, 1, 1)
        self.mean_distance = raw if self.log is None else (self.log.exp() * steps).sum(2)


def rebinned(distribution: Tensor, bins: int) -> Tensor:
    """A distribution over 0, 1, … strides (B, 4, n, H, W) over other many: what lies beyond the last is in the last."""
    n = distribution.shape[2]
    if bins >= n:
        return functional.pad(distribution, (0, 0, 0, 0, 0, bins - n))
    kept, beyond = distribution[:, :, :bins], distribution[:, :, bins:].sum(2, keepdim=True)
    return torch.cat([kept[:, :, :-1], kept[:, :, -1:] + beyond], 2)


def _overlap(ours: Tensor, theirs: Tensor) -> Tensor:
    """Intersection over union (B, H, W) of boxes given as distances to the left, top, right and bottom (B, 4, H, W)."""
    ours, theirs = ours.clamp(min=0), theirs.clamp(min=0)
    (w, h), (w1, h1), (w2, h2) = (
        (sides[:, 0] + sides[:, 2], sides[:, 1] + sides[:, 3]) for sides in (torch.minimum(ours, theirs), ours, theirs)
    )
    shared = w * h
    return shared / (w1 * h1 + w2 * h2 - shared + 1e-6)


def _where_seen(output: Tensor, target: Tensor, watched: Mapping[str, Tensor], classes: str) -> Tensor:
    """`unexplained`, each pixel weighed by the teacher's confidence."""
    share = _confidence(watched[classes])
    share = share / share.sum().clamp(min=1e-6)
    mean = (target * share).sum((0, 2, 3), keepdim=True)
    variance = ((target - mean) ** 2 * share).sum((0, 2, 3))
    error = ((output - target) ** 2 * share).sum((0, 2, 3))
    return (error / (variance + 0.1 * variance.mean() + 1e-6)).mean()


def _probabilities(output: Tensor, target: Tensor, _: Mapping[str, Tensor]) -> Tensor:
    """Divergence of a classifier's probabilities (B, nc) from the teacher's."""
    return functional.kl_div(output.log_softmax(1), target.log_softmax(1), reduction="batchmean", log_target=True)
