"""What a swap did, module by module."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..tables import change, columns


@dataclass(frozen=True)
class Swap:
    """One module: what it was, and the block that it is now or the reason why it was left."""

    name: str
    was: str
    now: str = ""
    reason: str = ""
    params: tuple[int, int] = (0, 0)


@dataclass
class Report:
    """What `replace` did. `params` and `macs` (multiply-adds of one image) are before and after; `macs` may be None.

    `notes` says what a user must know beyond the table.
    """

    swapped: list[Swap]
    left: list[Swap]
    params: tuple[int, int]
    macs: tuple[int, int] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The swapped modules."""
        return [swap.name for swap in self.swapped]

    def __str__(self) -> str:
        rows = [["module", "was", "now", "params", "before", "change"]]
        for swap in self.swapped:
            old, new = swap.params
            rows.append([swap.name, swap.was, swap.now, f"{new:,}", f"{old:,}", change(new, old)])
        rows += [[swap.name, swap.was, "left", swap.reason, "", ""] for swap in self.left]
        old, new = self.params
        total = f"{len(self.swapped)} swapped, {len(self.left)} left; parameters {old:,} → {new:,} ({change(new, old)})"
        if self.macs:
            total += f"; multiply-adds {self.macs[0]:,} → {self.macs[1]:,} ({change(self.macs[1], self.macs[0])})"
        return "\n".join([columns(rows), "", total, *self.notes])
