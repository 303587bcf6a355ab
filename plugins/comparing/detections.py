"""The outputs of heads without NMS: detections by descending score, the same ones looked for on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .runtimes import Array


def without_nms(output: Array) -> bool:
    """Whether an output's rows are detections: x1, y1, x2, y2, score, class and what else a task has of each.

    They are known by descending scores and whole classes, whatever their width: (B, n, 6) of boxes, (B, n, 6 + nm) with
    mask coefficients, (B, n, 7) with an angle, (B, n, 6 + nk) with keypoints.
    """
    if output.ndim != 3 or output.shape[2] < 6:
        return False
    scores, classes = output[..., 4], output[..., 5]
    sorted_ = (np.diff(scores, axis=1) <= 0).all() and (scores >= 0).all() and (scores <= 1).all()
    return bool(sorted_ and (classes == classes.round()).all())


@dataclass(frozen=True)
class Same:
    """When two detections are the same: boxes (pixels) and scores no farther apart.

    Of scores that are equal but for rounding a runtime may put either first, and only so many are kept. So up to 1 −
    `share` of them may be missing on one side, as long as their scores are within `border` of the last that was kept.
    """

    boxes: float
    scores: float
    share: float
    border: float

    def pairs(self, ours: Array, theirs: Array) -> tuple[Array, Array]:
        """The detections (n, 6 + …) of one image on both sides, the same ones in the same rows.

        Those that may be missing are left out; any other that has no counterpart has one of score 0.
        """
        found, cost = self._nearest(ours, theirs)
        near = [pair for pair in found if cost[pair] <= 1]
        cut = max(ours[:, 4].min(initial=1), theirs[:, 4].min(initial=1))
        left = [side[~np.isin(np.arange(len(side)), [p[i] for p in near]), 4] for i, side in enumerate((ours, theirs))]
        if len(near) >= self.share * len(theirs) and max(x.max(initial=0) for x in left) <= cut + self.border:
            return ours[[i for i, _ in near]], theirs[[j for _, j in near]]
        alone = [np.delete(side, [p[i] for p in found], 0) for i, side in enumerate((ours, theirs))]
        missing = [np.where(np.arange(x.shape[1]) == 4, 0, x) for x in alone]
        return (
            np.concatenate([ours[[i for i, _ in found]], alone[0], missing[1]]),
            np.concatenate([theirs[[j for _, j in found]], missing[0], alone[1]]),
        )

    def _nearest(self, ours: Array, theirs: Array) -> tuple[list[tuple[int, int]], Array]:
        """Pairs of one class, nearest first, each detection once; and how far apart any two are, 1 at the limit."""
        cost = np.abs(ours[:, None, :4] - theirs[:, :4]).max(2) / self.boxes
        cost = np.maximum(cost, np.abs(ours[:, None, 4] - theirs[:, 4]) / self.scores)
        cost[ours[:, None, 5] != theirs[:, 5]] = np.inf
        pairs, taken = [], (set[int](), set[int]())
        for at in np.argsort(cost, axis=None):
            i, j = divmod(int(at), len(theirs))
            if not np.isfinite(cost[i, j]):
                break
            if i not in taken[0] and j not in taken[1]:
                pairs.append((i, j))
                taken[0].add(i)
                taken[1].add(j)
        return pairs, cost
