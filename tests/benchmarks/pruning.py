"""Structured pruning of a trained stock YOLOv8 by Torch-Pruning's DepGraph (2301.12900), for the duel.

Torch-Pruning's own example for YOLOv8 rewrites Ultralytics' trainer and stops with its newer releases; and the halves
of a C2f, which are one convolution cut in two, end in an IndexError. Here each C2f stands as two convolutions while it
is pruned and as one afterwards, so that the result is made of stock layers with fewer channels.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from ultralytics.nn.modules import C2f
from yolo_plugins.blocks.counting import evaluated

ROUND = 8
"""Channels left are a multiple of this."""


class Halves(nn.Module):
    """A C2f whose first convolution is two, one for each half of the channels."""

    def __init__(self, stage: Any) -> None:
        super().__init__()
        self.stage, self.first, self.second = stage, copy.deepcopy(stage.cv1), copy.deepcopy(stage.cv1)
        self.f, self.i, self.type = stage.f, stage.i, stage.type
        self.half = len(stage.cv1.conv.weight) // 2
        for conv, part in ((self.first, slice(None, self.half)), (self.second, slice(self.half, None))):
            _fill(conv, [(stage.cv1, part)])
        stage.cv1 = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.first(x), self.second(x)]
        for block in self.stage.m:
            maps.append(block(maps[-1]))
        joined: Tensor = self.stage.cv2(torch.cat(maps, 1))
        return joined

    def joined(self) -> Any:
        """The C2f that it is now.

        Raises:
            ValueError: its halves are of different widths.
        """
        widths = [len(conv.conv.weight) for conv in (self.first, self.second)]
        if widths[0] != widths[1]:
            raise ValueError(f"row {self.i}: halves of {widths[0]} and {widths[1]} channels are no C2f")
        self.stage.cv1 = self.first
        _fill(self.stage.cv1, [(copy.deepcopy(conv), slice(None)) for conv in (self.first, self.second)])
        self.stage.c = widths[0]
        return self.stage


def pruned(network: Any, ratio: float, imgsz: int = 64) -> Any:
    """A copy of a YOLOv8 detector with this share of the channels of every layer gone, those of the smallest norm.

    Args:
        network: A trained network; its outputs keep their shapes.
        ratio: From 0 to 1.
        imgsz: Side of the image that dependencies are traced with.
    """
    import torch_pruning

    network = copy.deepcopy(network).float()
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    for i, row in enumerate(network.model):
        if isinstance(row, C2f):
            network.model[i] = Halves(row)
    head = network.model[-1]
    outputs = [branch[-1] for branches in (head.cv2, head.cv3) for branch in branches]
    # A layer that would be left with fewer than ROUND channels is not pruned at all otherwise.
    shares = {
        m: max(0.0, min(ratio, 1 - ROUND / m.out_channels)) for m in network.modules() if isinstance(m, nn.Conv2d)
    }
    with evaluated(network), torch.enable_grad():
        torch_pruning.pruner.BasePruner(
            network,
            torch.rand(1, 3, imgsz, imgsz),
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio=ratio,
            pruning_ratio_dict=shares,
            ignored_layers=[*outputs, head.dfl],
            round_to=ROUND,
        ).step()
    for i, row in enumerate(network.model):
        if isinstance(row, Halves):
            network.model[i] = row.joined()
    return network.eval()


@torch.no_grad()
def _fill(target: Any, parts: list[tuple[Any, slice]]) -> None:
    """Make a convolution with its batch norm of parts of the output channels of others."""
    state = {
        name: torch.cat([source.state_dict()[name][part] for source, part in parts]) if tensor.dim() else tensor
        for name, tensor in parts[0][0].state_dict().items()
    }
    for name, tensor in state.items():
        owner, _, last = name.rpartition(".")
        module = target.get_submodule(owner)
        kept = nn.Parameter(tensor.clone()) if last in module._parameters else tensor.clone()
        setattr(module, last, kept)
    target.conv.out_channels = target.bn.num_features = len(state["conv.weight"])
