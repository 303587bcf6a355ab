"""C2f-shaped stages (YOLOv8) with an exchangeable inner block.

Submodules are named as in Ultralytics' `C2f` (cv1, cv2, m), so that what is shaped alike takes stock weights by name:
in `C2fSE` that is everything but the gates. The activation's default is YOLOv8's SiLU, here for the whole stage.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .activation import Act
from .attention import SE
from .budget import building
from .conv import ConvBNAct, DWConv
from .geometry import require_number, require_positive, require_repeats
from .ghost import GhostBottleneck, GhostConv
from .shuffle import ShuffleUnit


class Bottleneck(nn.Module):
    """Two convolutions and an optional gate, with the input added where `shortcut` is true.

    Shape: (B, c, H, W) → the same.
    """

    def __init__(self, cv1: nn.Module, cv2: nn.Module, gate: nn.Module | None = None, shortcut: bool = False) -> None:
        super().__init__()
        self.cv1 = cv1
        self.cv2 = cv2
        self.gate = gate or nn.Identity()
        self.add = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.gate(self.cv2(self.cv1(x)))
        return x + y if self.add else y


class C2fStage(nn.Module):
    """1×1 conv to two halves, n inner blocks one after another on the second, all of them concatenated, 1×1 conv.

    `inner(c)` makes one inner block of c → c channels and `outer(c1, c2)` the two 1×1 convolutions.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Raises:
        ValueError: a count below 1, or e that leaves no hidden channels.
    """

    row = "stage"

    def __init__(
        self,
        c1: int,
        c2: int,
        n: int,
        inner: Callable[[int], nn.Module],
        outer: Callable[[int, int], nn.Module],
        e: float = 0.5,
    ) -> None:
        super().__init__()
        block = type(self).__name__
        require_positive(block, c1=c1, c2=c2, n=n)
        require_number(block, e=e)
        require_repeats(block, n)
        c = int(c2 * e)
        if c < 1:
            raise ValueError(f"{block}: c2={c2} with e={e} leaves no hidden channels")
        with building(block, c1=c1, c2=c2, n=n):
            self.cv1 = outer(c1, 2 * c)
            self.cv2 = outer((2 + n) * c, c2)
            self.m = nn.ModuleList(inner(c) for _ in range(n))

    def forward(self, x: Tensor) -> Tensor:
        maps = list(self.cv1(x).chunk(2, dim=1))
        for block in self.m:
            maps.append(block(maps[-1]))
        return self.cv2(torch.cat(maps, dim=1))


class C2fGhost(C2fStage):
    """C2f made of Ghost modules (1911.11907): 1×1 outside, a Ghost bottleneck c → ⌊c·squeeze⌋ → c inside.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Raises:
        ValueError: as `C2fStage` and `GhostBottleneck`.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        n: int = 1,
        shortcut: bool = False,
        squeeze: float = 0.5,
        e: float = 0.5,
        act: Act = "silu",
    ) -> None:
        def inner(c: int) -> nn.Module:
            return GhostBottleneck(c, c, int(c * squeeze), shortcut=shortcut, act=act)

        require_number("C2fGhost", squeeze=squeeze)
        super().__init__(c1, c2, n, inner, lambda c1, c2: GhostConv(c1, c2, act=act), e)


class C2fDW(C2fStage):
    """C2f with depthwise-separable 3×3 convolutions inside (1704.04861), the second one dilated by d.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Raises:
        ValueError: as `C2fStage` and `DWConv`.
    """

    def __init__(
        self, c1: int, c2: int, n: int = 1, shortcut: bool = False, d: int = 1, e: float = 0.5, act: Act = "silu"
    ) -> None:
        def inner(c: int) -> nn.Module:
            return Bottleneck(DWConv(c, c, act=act), DWConv(c, c, d=d, act=act), shortcut=shortcut)

        super().__init__(c1, c2, n, inner, lambda c1, c2: ConvBNAct(c1, c2, act=act), e)


class C2fShuffle(C2fStage):
    """C2f with ShuffleNet units inside (1707.01083), on g groups.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Raises:
        ValueError: as `C2fStage` and `ShuffleUnit`.
    """

    def __init__(
        self, c1: int, c2: int, n: int = 1, shortcut: bool = False, g: int = 2, e: float = 0.5, act: Act = "silu"
    ) -> None:
        def inner(c: int) -> nn.Module:
            return ShuffleUnit(c, c, g=g, shortcut=shortcut, act=act)

        super().__init__(c1, c2, n, inner, lambda c1, c2: ConvBNAct(c1, c2, act=act), e)


class C2fSE(C2fStage):
    """C2f with squeeze-and-excitation (1709.01507) on each inner block's branch, before the sum.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Raises:
        ValueError: as `C2fStage` and `SE`.
    """

    def __init__(
        self, c1: int, c2: int, n: int = 1, shortcut: bool = False, r: int = 16, e: float = 0.5, act: Act = "silu"
    ) -> None:
        def inner(c: int) -> nn.Module:
            cv1, cv2 = (ConvBNAct(c, c, 3, act=act) for _ in range(2))
            return Bottleneck(cv1, cv2, SE(c, r), shortcut)

        super().__init__(c1, c2, n, inner, lambda c1, c2: ConvBNAct(c1, c2, act=act), e)
