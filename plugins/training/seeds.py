"""What several seeds show: mean and spread, and whether a difference is more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

# Two-sided 95 % points of Student's t by degrees of freedom.
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)


@dataclass(frozen=True)
class Spread:
    """Mean of some seeds, and their standard deviation, None for one seed."""

    mean: float
    deviation: float | None

    def __str__(self) -> str:
        return f"{self.mean:.3f}" + (f" ± {self.deviation:.3f}" if self.deviation is not None else "")


@dataclass(frozen=True)
class Difference:
    """Mean difference of seeds that both have, and its 95 % interval by the paired t-test, None for fewer than two."""

    mean: float
    low: float | None
    high: float | None

    @property
    def beyond_chance(self) -> bool:
        """The interval is known and leaves out zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.mean:+.3f}, one seed"
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def spread(scores: Mapping[int, float]) -> Spread:
    """Of scores by seed.

    Raises:
        ValueError: there are none.
    """
    if not scores:
        raise ValueError("there is no score")
    values = list(scores.values())
    return Spread(mean(values), stdev(values) if len(values) > 1 else None)


def difference(scores: Mapping[int, float], base: Mapping[int, float]) -> Difference:
    """How much better than the base, seed by seed.

    Raises:
        ValueError: no seed is in both.
    """
    pairs = [scores[seed] - base[seed] for seed in sorted(scores.keys() & base.keys())]
    if not pairs:
        raise ValueError(f"no seed is in both: {sorted(scores)} and {sorted(base)}")
    if len(pairs) == 1:
        return Difference(pairs[0], None, None)
    t = _T95[min(len(pairs) - 2, len(_T95) - 1)]  # beyond 16 pairs a little too wide
    half = t * stdev(pairs) / sqrt(len(pairs))
    return Difference(mean(pairs), mean(pairs) - half, mean(pairs) + half)
