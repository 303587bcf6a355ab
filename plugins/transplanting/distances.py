"""How far a block's or a head's output is from the teacher's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

Distance = Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]
"""How far an output is from the teacher's, given all that was watched of the teacher."""


def unexplained(output: Tensor, target: Tensor, _: Mapping[str, Tensor] | None = None) -> Tensor:
    """Squared error over the target's variance, per channel, averaged over the channels.

    Channels that hardly vary are measured against a tenth of the mean variance, or noise in them would rule.
    """
    dims = [d for d in range(target.dim()) if d != (1 if target.dim() > 3 else target.dim() - 1)]
    variance = target.var(dims)
    error = ((output - target) ** 2).mean(dims)
    return (error / (variance + 0.1 * variance.mean() + 1e-6)).mean()


def predictions(model: Any) -> dict[str, Distance]:
    """The last layers of an Ultralytics head — what has a bias — and how far each is from the teacher's.

    Classes by cross-entropy with the teacher's probabilities, boxes where the teacher sees something, all else, such
    as masks and keypoints, by its variance.
    """
    head = len(model.model) - 1
    names = [
        f"model.{head}.{name}"
        for name, m in model.model[-1].named_modules()
        if isinstance(m, nn.Conv2d | nn.Linear) and m.bias is not None
    ]
    distances: dict[str, Distance] = dict.fromkeys(names, unexplained)
    for boxes in names:
        classes = boxes.replace("cv2.", "cv3.")
        if "cv2." in boxes and classes in names:
            distances[boxes] = partial(_box_distance, classes=classes)
            distances[classes] = _class_distance
    return distances


def _class_distance(output: Tensor, target: Tensor, _: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy, at a weight that sets the few cells with objects off against the many without."""
    return 20 * functional.binary_cross_entropy_with_logits(output, target.sigmoid())


def _box_distance(output: Tensor, target: Tensor, watched: Mapping[str, Tensor], classes: str) -> Tensor:
    """Divergence of the four sides' distributions (squared error for a head without), weighted by confidence."""
    confidence = watched[classes].sigmoid().amax(1, keepdim=True)
    b, c, h, w = target.shape
    if c > 4:
        ours = output.view(b, 4, c // 4, h, w).log_softmax(2)
        theirs = target.view(b, 4, c // 4, h, w).log_softmax(2)
        error = (theirs.exp() * (theirs - ours)).sum(2).mean(1, keepdim=True)
    else:
        error = ((output - target) ** 2).mean(1, keepdim=True)
    return (error * confidence).sum() / confidence.sum()
