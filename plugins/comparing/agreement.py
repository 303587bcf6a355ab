"""How far an exported file's outputs and final boxes are from torch's on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .detections import Same, without_nms
from .runtimes import Array

TOLERANCES = {"boxes": 1.0, "scores": 0.02, "masks": 0.02}
"""Largest difference that still counts as agreement: box coordinates in pixels, scores as they are (0 to 1), mask
coefficients, prototypes, angles and keypoints as a part of their range."""

SAME_BOX = 0.9
"""Intersection over union from which two boxes of one class are the same."""

SAME_SHARE = 0.95
"""Part of the final boxes that must have their counterpart."""

BORDER = 0.02
"""A box whose confidence is this near to the threshold may be there or not."""

FOUND_AGAIN = 0.7
"""Intersection over union from which a box of fewer bits is the one of 32: rounding moves its sides by a pixel or two,
which is much of a small box."""

FOUND_SHARE = 0.9
"""Part of the final boxes that must be found again with fewer bits. Files in 16 and 8 bits that kept their accuracy had
0.988 and more of them; one that had lost 17 points of mAP50-95 had 0.882."""

FAINTEST = 0.2
"""Part of the confidence threshold down to which a box is looked for: confidences may sink with fewer bits, which is a
matter of the threshold and told apart."""


LIMITS = [TOLERANCES, SAME_BOX, SAME_SHARE, BORDER, FOUND_AGAIN, FOUND_SHARE, FAINTEST]
"""All of them: what was judged by others is judged anew."""


def disagreement(differences: dict[str, float], boxes: float | None) -> str:
    """Why a file is wrong; empty where every part is within `TOLERANCES` and `SAME_SHARE` of the boxes are found again.

    What is given are the largest differences by part, and the part of the boxes, or None where there are none.
    """
    for part, difference in differences.items():
        if not difference <= TOLERANCES[part]:
            unit = " px" if part == "boxes" else ""
            return f"{part} differ by {difference:.3g}{unit} from torch's"
    if boxes is not None and boxes < SAME_SHARE:
        return f"only {boxes:.0%} of the final boxes are torch's"
    return ""


def raw_differences(outputs: Sequence[Array], reference: Sequence[Array], task: str, nc: int) -> dict[str, float]:
    """Largest absolute difference of each part of the raw outputs.

    Args:
        outputs: Of the exported file, (B, 4 + nc …, anchors) first, or (B, n, 6 …) of a head without NMS; for
            segmentation the prototypes second.
        reference: Of torch, in the same order.
        task: The model's task.
        nc: Its number of classes.

    Raises:
        ValueError: outputs of another number or shape.
    """
    shapes = [[list(np.shape(x)) for x in side] for side in (outputs, reference)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"outputs of shape {shapes[0]} instead of torch's {shapes[1]}")
    found: dict[str, float] = {}
    for ours, theirs in zip(outputs, reference, strict=True):
        for part, a, b in _parts(np.asarray(ours, float), np.asarray(theirs, float), task, nc):
            if not a.size:
                continue
            scale = float(np.ptp(b)) or 1.0 if part == "masks" else 1.0
            worst = float(np.abs(a - b).max()) / scale if np.isfinite(a).all() else float("inf")
            found[part] = max(found.get(part, 0.0), worst)
    return found


def _parts(a: Array, b: Array, task: str, nc: int) -> list[tuple[str, Array, Array]]:
    if task == "classify":
        return [("scores", a, b)]
    if a.ndim == 4:
        return [("masks", a, b)]
    if without_nms(b):
        if not np.isfinite(a).all():
            return [("boxes", a, b)]
        same = Same(TOLERANCES["boxes"], TOLERANCES["scores"], SAME_SHARE, BORDER)
        a, b = (np.concatenate(side) for side in zip(*map(same.pairs, a, b), strict=True))
        return [("boxes", a[:, :4], b[:, :4]), ("scores", a[:, 4], b[:, 4]), ("masks", a[:, 6:], b[:, 6:])]
    parts = [("boxes", slice(0, 4)), ("scores", slice(4, 4 + nc)), ("masks", slice(4 + nc, None))]
    return [(part, a[:, rows], b[:, rows]) for part, rows in parts]


def same_boxes(boxes: Sequence[Any], reference: Sequence[Any], conf: float) -> float | None:
    """Part of the final boxes of all images that both sides have, or None where neither has any.

    Args:
        boxes: For each image (n, 6): x1, y1, x2, y2, confidence, class; for classification the (classes,) scores.
        reference: Torch's, of the same images.
        conf: Confidence threshold that both were cut at.
    """
    found, total = 0, 0
    for ours, theirs in zip(map(_final, boxes), map(_final, reference), strict=True):
        if ours.ndim == 1:
            found, total = found + 2 * int(np.argmax(ours) == np.argmax(theirs)), total + 2
            continue
        pairs = _match(ours, theirs)
        left = [*np.delete(ours[:, 4], list(pairs)), *np.delete(theirs[:, 4], list(pairs.values()))]
        found += 2 * len(pairs)
        total += 2 * len(pairs) + sum(score > conf + BORDER for score in left)
    return found / total if total else None


@dataclass(frozen=True)
class Again:
    """What fewer bits leave of the final boxes: the part found again, and the change of their confidences."""

    share: float | None
    shift: float | None


def found_again(boxes: Sequence[Any], reference: Sequence[Any], conf: float) -> Again:
    """How many of the final boxes both sides have at whatever confidence, and the median change of confidence.

    Args:
        boxes: Of fewer bits, as `same_boxes` takes them, down to `FAINTEST` of the threshold.
        reference: Of 32 bits, of the same images and as far down.
        conf: Confidence from which a box is final.
    """
    found, total, shifts = 0, 0, []
    for ours, theirs in zip(map(_final, boxes), map(_final, reference), strict=True):
        if ours.ndim == 1:
            best = int(np.argmax(theirs))
            found, total = found + int(np.argmax(ours) == best), total + 1
            shifts.append(ours[best] - theirs[best])
            continue
        pairs = _match(ours, theirs, FOUND_AGAIN)
        shifts += [ours[i, 4] - theirs[j, 4] for i, j in pairs.items() if theirs[j, 4] >= conf]
        counted = sum(max(ours[i, 4], theirs[j, 4]) >= conf for i, j in pairs.items())
        left = [*np.delete(ours[:, 4], list(pairs)), *np.delete(theirs[:, 4], list(pairs.values()))]
        found += 2 * counted
        total += 2 * counted + sum(score > conf + BORDER for score in left)
    return Again(found / total if total else None, float(np.median(shifts)) if shifts else None)


def lost(again: Again) -> str:
    """Why a file of fewer bits is wrong; empty where enough of the boxes are found again."""
    if again.share is not None and again.share < FOUND_SHARE:
        return f"only {again.share:.0%} of the final boxes are found again"
    return ""


def _final(image: Any) -> Array:
    array = np.asarray(image, float)
    return array if array.ndim == 1 and array.size else array.reshape(-1, 6)


def _match(a: Array, b: Array, overlap: float = SAME_BOX) -> dict[int, int]:
    """Boxes of one class that overlap as much, most confident first, each used once."""
    import torch
    from ultralytics.utils.metrics import box_iou

    if not len(b):
        return {}
    overlaps = box_iou(torch.from_numpy(a[:, :4].copy()), torch.from_numpy(b[:, :4].copy())).numpy()
    overlaps[a[:, None, 5] != b[None, :, 5]] = 0
    pairs: dict[int, int] = {}
    for i in np.argsort(-a[:, 4]):
        j = int(overlaps[i].argmax())
        if overlaps[i, j] >= overlap:
            pairs[int(i)] = j
            overlaps[:, j] = 0
    return pairs
