"""What a light model begins with: the tensors of the teacher that fit, and of filters and norms the part that fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..blocks.conv import ConvBNAct
from ..blocks.ghost import GhostConv
from ..swapping.places import conv_group, is_norm
from .recording import recorded


def copy_untouched(teacher: nn.Module, student: nn.Module) -> tuple[int, int]:
    """Copy every tensor of the same name and shape; returns how many, of how many."""
    source, target = teacher.state_dict(), student.state_dict()
    same = {name: v for name, v in source.items() if name in target and target[name].shape == v.shape}
    student.load_state_dict(same, strict=False)
    return len(same), len(target)


@torch.no_grad()
def measured(teacher: nn.Module, old: nn.Module, batches: Callable[[], Tensor]) -> nn.Module:
    """A convolution of the teacher with a batch norm whose scale and shift are those that its output has on a batch.

    They are its own norm's, where it has one and its statistics fit the images. What is no convolution stays as it is.
    """
    conv, _ = _convolution(old)
    if conv is None:
        return old
    norm: Any = next((m for m in old.children() if is_norm(m)), conv)
    record = recorded(teacher, batches(), {"conv": conv, "norm": norm})
    before, after = record["conv"][1], record["norm"][1]
    bn = nn.BatchNorm2d(after.shape[1]).to(after.device, after.dtype)
    bn.running_mean, bn.running_var = before.mean((0, 2, 3)), before.var((0, 2, 3))
    sign = 1 if norm is conv else torch.where(norm.weight < 0, -1, 1)
    bn.weight.data, bn.bias.data = sign * after.std((0, 2, 3)), after.mean((0, 2, 3))
    return nn.Sequential(conv, bn)


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
