"""What each way of folding a network for deployment gains or loses: whole models of scale n, before and after.

Usage: python tests/benchmarks/fusing.py [--runtime openvino] [--rounds 20]

Steps that `yolo_plugins.fuse` takes, and steps that it does not since they lost. Each must give equal outputs: the
largest change is relative to the largest output.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from latency import deployed, shown, timing_parser
from torch import Tensor, nn
from ultralytics.nn.modules import DFL
from yolo_plugins import ConvBNAct, GhostConv, RepGhostConv, ShuffleUnit
from yolo_plugins.comparing import timed


class DenseShuffleUnit(nn.Module):
    """A fused shuffle unit without its shuffle, whose permutation is in a first or second convolution made dense."""

    def __init__(self, unit: ShuffleUnit, first: bool) -> None:
        super().__init__()
        self.unit = copy.deepcopy(unit)
        reduce, depthwise, expand = (part.conv for part in (unit.reduce, unit.depthwise, unit.expand))
        channels = torch.arange(depthwise.in_channels)
        source = channels.view(unit.g, -1).T.reshape(-1)  # channel i of the shuffled maps is channel source[i]
        if first:
            self.unit.reduce.conv = _pointwise(_dense(reduce)[source], reduce.bias[source])
        else:
            target = torch.empty_like(source)
            target[source] = channels
            self.unit.depthwise.conv.weight.copy_(depthwise.weight[target])
            self.unit.depthwise.conv.bias.copy_(depthwise.bias[target])
            self.unit.expand.conv = _pointwise(_dense(expand)[:, target], expand.bias)

    def forward(self, x: Tensor) -> Tensor:
        unit = self.unit
        y = unit.expand(unit.depthwise(unit.reduce(x)))
        if unit.s == 2:
            y = torch.cat([y, unit.pool(x)], 1)
        elif unit.shortcut:
            y = x + y
        return unit.act(y)


class CopyingGhost(nn.Module):
    """A fused Ghost module whose cheap convolution copies its input too, in place of a concatenation.

    Its maps alternate; `in_order` puts them back for a comparison, which in earnest the next layer's weights would do.
    """

    def __init__(self, ghost: GhostConv) -> None:
        super().__init__()
        cheap = ghost.cheap.conv
        m, k = cheap.in_channels, cheap.kernel_size[0]
        both = nn.Conv2d(m, 2 * m, k, padding=k // 2, groups=m)
        weight = torch.zeros(m, 2, k, k)
        weight[:, 0, k // 2, k // 2] = 1
        weight[:, 1] = cheap.weight[:, 0]
        both.weight.copy_(weight.view(2 * m, 1, k, k))
        both.bias.copy_(torch.stack([torch.zeros(m), cheap.bias], 1).view(-1))
        self.primary, self.both, self.act = copy.deepcopy(ghost.primary), both, ghost.cheap.act
        self.in_order = True

    def forward(self, x: Tensor) -> Tensor:
        maps = self.act(self.both(self.primary(x)))
        return torch.cat([maps[:, ::2], maps[:, 1::2]], 1) if self.in_order else maps


def _dense(conv: nn.Conv2d) -> Tensor:
    """Weights of a grouped 1×1 convolution as those of a dense one."""
    return torch.block_diag(*conv.weight[:, :, 0, 0].chunk(conv.groups))


def _pointwise(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 1)
    conv.weight.copy_(weight[:, :, None, None])
    conv.bias.copy_(bias)
    return conv


@dataclass(frozen=True)
class Step:
    """One way of folding: the model it is tried in, the layers it changes, and what it makes of each.

    `make` is None for what `fuse` does by itself. `relu` puts ReLU for SiLU in the model, where the step needs an
    activation that may be taken twice.
    """

    name: str
    model: str
    layer: type[nn.Module]
    make: Callable[[Any], nn.Module] | None = None
    relu: bool = False


STEPS = [
    Step("RepGhost's two branches as one convolution", "yolov8n-lite.yaml", RepGhostConv),
    Step("softmax over distances as a product", "yolov8n-se.yaml", DFL),
    *(
        Step(f"shuffle in a dense {which} convolution", "yolov8n-shuffle.yaml", ShuffleUnit, make)
        for which, make in (
            ("first", partial(DenseShuffleUnit, first=True)),
            ("second", partial(DenseShuffleUnit, first=False)),
        )
    ),
    Step("Ghost's concatenation as a copying convolution", "yolov8n-ghost.yaml", GhostConv, CopyingGhost, relu=True),
]


def main() -> None:
    args = timing_parser(__doc__).parse_args()
    image = torch.rand(1, 3, args.imgsz, args.imgsz)
    print(f"| step | in fuse | times as fast in {args.runtime} | largest change |\n|---|---|--:|--:|")
    for step in STEPS:
        before, after = pair(step)
        outputs = before(image)
        change = ((outputs - after(image)).abs().max() / outputs.abs().max()).item()
        for layer in filter(lambda m: isinstance(m, CopyingGhost), after.modules()):
            layer.in_order = False
        times = timed({"before": (before, [image]), "after": (after, [image])}, args.runtime, args.threads, args.rounds)
        kept = "yes" if step.make is None else "no"
        print(f"| {step.name} | {kept} | {shown(times['before'], times['after'])} | {change:.0e} |", flush=True)


@torch.no_grad()
def pair(step: Step) -> tuple[nn.Module, nn.Module]:
    """The deployed model without the step and with it."""
    plain, fused = (deployed(step.model, fuse=fuse) for fuse in (False, True))
    if step.relu:
        for layer in fused.modules():
            if isinstance(layer, ConvBNAct) and isinstance(layer.act, nn.SiLU):
                layer.act = nn.ReLU()
    other = copy.deepcopy(fused)
    for name, layer in (plain if step.make is None else fused).named_modules():
        if type(layer) is step.layer:
            parent, _, child = name.rpartition(".")
            made = copy.deepcopy(layer) if step.make is None else step.make(layer)
            rows = {key: getattr(layer, key) for key in ("f", "i", "type", "np") if hasattr(layer, key)}
            vars(made).update(rows)  # what Ultralytics keeps on a row's layer
            setattr(other.get_submodule(parent), child, made)
    return (other, fused) if step.make is None else (fused, other)


if __name__ == "__main__":
    main()
