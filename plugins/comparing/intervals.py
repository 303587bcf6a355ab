"""What timings of interleaved runs show: ratios pair by pair, with their interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
FEWEST = 6
"""Pairs below which no interval is given: the median of five has no 95 % interval."""


@dataclass(frozen=True)
class Ratio:
    """Median of the ratios pair by pair, and its 95 % bootstrap interval; no interval for too few pairs."""

    median: float
    low: float | None
    high: float | None


def ratio(before: Sequence[float], after: Sequence[float], seed: int = 0) -> Ratio:
    """How many times as fast one thing is as another, from pairs measured next to each other: above 1 is faster.

    Args:
        before: Times of what it is held against, round by round.
        after: Its own times in the same rounds.
        seed: Of the resampling, so that the same timings give the same interval.

    Raises:
        ValueError: none, or not as many of one as of the other, or a time that is not positive.
    """
    if len(before) != len(after) or not before:
        raise ValueError(f"pairs need as many times of both, got {len(before)} and {len(after)}")
    if min(*before, *after) <= 0:
        raise ValueError("a time must be above 0")
    ratios = np.asarray(before, float) / np.asarray(after, float)
    if len(ratios) < FEWEST:
        return Ratio(float(np.median(ratios)), None, None)
    picks = np.random.default_rng(seed).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(ratios[picks], axis=1), [2.5, 97.5])
    return Ratio(float(np.median(ratios)), float(low), float(high))
