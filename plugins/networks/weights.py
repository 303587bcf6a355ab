"""Published weights to ours: which tensor is which, and what another ε or image scale changes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""ImageNet's mean and standard deviation of red, green and blue, for images from 0 to 1."""


def convert_weights(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Map a published state dict onto a network of ours: `network.load_state_dict(convert_weights(state, network))`.

    Takes what timm, torchvision or pytorchcv give as `model.state_dict()`. They and we list tensors in the order in
    which the paper's layers run, so tensors are paired in that order, and each pair must be of the same kind (weight,
    bias, running mean or variance) and shape; a linear layer counts as the 1×1 convolution that it is on one pixel.

    Args:
        state: The published state dict, in the order of its model.
        network: `ghostnet()`, `shufflenet_v1()`, `mobilenet_v3()` at the same width, or any of their parts.

    Returns:
        A state dict with the network's names.

    Raises:
        ValueError: the first tensor that does not pair, with both names and shapes.
    """
    theirs = [(name, tensor) for name, tensor in state.items() if not name.endswith("num_batches_tracked")]
    own = network.state_dict()
    ours = [name for name in own if not name.endswith("num_batches_tracked")]
    converted = dict(own)
    for (source, tensor), name in zip(theirs, ours, strict=False):
        same_kind = source.rpartition(".")[2] == name.rpartition(".")[2]
        if not same_kind or _without_pixels(tensor.shape) != _without_pixels(own[name].shape):
            raise ValueError(
                f"the weights do not fit: {source} {tuple(tensor.shape)} stands where {name} {tuple(own[name].shape)} "
                "is expected; take the state dict of the same network, width and class count, in its model's order"
            )
        converted[name] = tensor.reshape(own[name].shape)
    if len(theirs) != len(ours):
        raise ValueError(
            f"the weights do not fit: {len(theirs)} tensors for the {len(ours)} of this network; "
            "take the state dict of the same network and width, with its classifier exactly if the network has one"
        )
    return converted


def _without_pixels(shape: torch.Size) -> tuple[int, ...]:
    return tuple(shape[:2]) if len(shape) == 4 and shape[2:] == (1, 1) else tuple(shape)


@torch.no_grad()
def set_epsilon(bn: nn.BatchNorm2d, eps: float) -> None:
    """Give a batch norm another ε without changing what it computes in eval mode: its weight takes the difference."""
    assert bn.running_var is not None
    bn.weight.mul_(torch.sqrt((bn.running_var + eps) / (bn.running_var + bn.eps)))
    bn.eps = eps


@torch.no_grad()
def absorb_normalisation(conv: nn.Conv2d, bn: nn.BatchNorm2d) -> None:
    """Let a first convolution that was trained on ImageNet-normalised images take RGB from 0 to 1, as YOLO feeds them.

    Equal but for the outermost pixels, where zero padding now is black and was the mean colour.
    """
    assert bn.running_mean is not None
    mean, deviation = (torch.tensor(v, device=conv.weight.device).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
    conv.weight.div_(deviation)
    bn.running_mean += (conv.weight * mean).sum((1, 2, 3))
