"""Sizes and channel counts: the arithmetic that blocks share, and the refusal of what cannot be built."""

from __future__ import annotations

import math
from typing import Any

from .signature import is_count


def same_padding(k: int, d: int = 1) -> int:
    """Padding that keeps H×W at stride 1, and gives ⌈H/s⌉ at stride s, for an odd kernel k at dilation d."""
    return d * (k - 1) // 2


def make_divisible(v: float, divisor: int) -> int:
    """Nearest multiple of `divisor` to `v`: at least `divisor`, and never more than 10 % below `v`.

    Source: MobileNet's reference models, 1704.04861.
    """
    nearest = max(divisor, int(v + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * v else nearest


def require_positive(block: str, **values: Any) -> None:
    """Refuse anything that is not a whole number of at least 1.

    Raises:
        ValueError: naming the block, the argument and its value.
    """
    for name, value in values.items():
        if not is_count(value) or value < 1:
            raise ValueError(f"{block}: {name}={value!r} must be a whole number of at least 1")


def require_number(block: str, **values: Any) -> None:
    """Refuse anything that is not a finite number.

    Raises:
        ValueError: naming the block, the argument and its value.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(f"{block}: {name}={value!r} must be a number")


def require_same(block: str, c1: int, c2: int, expand: float) -> int:
    """Refuse a block that keeps its channels c1 ≠ c2, or no hidden channels; gives the hidden ones, ⌊c1·expand⌋.

    Raises:
        ValueError: naming the block and the numbers.
    """
    require_positive(block, c1=c1, c2=c2)
    require_number(block, expand=expand)
    if c1 != c2:
        raise ValueError(f"{block}: it keeps its channels, so c1={c1} and c2={c2} must be equal")
    if int(c1 * expand) < 1:
        raise ValueError(f"{block}: expand={expand!r} leaves no hidden channels of c1={c1}")
    return int(c1 * expand)


def require_odd(block: str, **kernels: Any) -> None:
    """Refuse kernel sizes that cannot keep H×W with equal padding on both sides.

    Raises:
        ValueError: naming the block, the kernel and its size.
    """
    require_positive(block, **kernels)
    for name, k in kernels.items():
        if k % 2 == 0:
            raise ValueError(f"{block}: kernel {name}={k} is even and cannot keep H×W; use {max(k - 1, 1)} or {k + 1}")


def require_divisible(block: str, by: int, **channels: int) -> None:
    """Refuse channel counts that do not divide by `by` groups.

    Raises:
        ValueError: naming the block, every offending count and the group counts that would do.
    """
    wrong = {name: c for name, c in channels.items() if c % by}
    if wrong:
        common = math.gcd(*channels.values())
        choices = ", ".join(str(g) for g in range(1, common + 1) if common % g == 0)
        counts = " and ".join(f"{name}={c}" for name, c in wrong.items())
        raise ValueError(f"{block}: {counts} cannot be divided into {by} groups; group counts that fit: {choices}")


def require_stride(block: str, s: Any, allowed: tuple[int, ...]) -> None:
    """Refuse strides that the block's definition does not have.

    Raises:
        ValueError: naming the block, the stride and those allowed.
    """
    if not is_count(s) or s not in allowed:
        raise ValueError(f"{block}: stride s={s!r} is not one of {', '.join(map(str, allowed))}")
