"""Stages in the shapes of YOLO's C2f, C3 and C3k2, around an exchangeable inner block and gate.

Submodules are named as in Ultralytics' stages (cv1, cv2, m), so that what is shaped alike takes stock weights by name:
with the default inner block that is everything, with a gate everything but the gates. The activation's default is
YOLOv8's SiLU, here for the whole stage. Papers' mixtures, such as a C3k2 of Ghost bottlenecks with SE, are rows:
`plugins.C3k2, [256, True, GhostBottleneck, SE]`; the four stages with a name of their own are such rows too.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .activation import Act
from .attention import SE
from .composition import Choice, Inner, Part
from .conv import ConvBNAct, DWConv
from .geometry import require_number, require_positive
from .ghost import GhostBottleneck
from .registry import part, register
from .shuffle import ShuffleUnit

EXAMPLE: Mapping[str, object] = {"c1": 128, "c2": 128, "n": 1, "shortcut": True}


def _hidden(block: str, c1: int, c2: int, n: int, e: float) -> int:
    """Channels of the inner blocks."""
    require_positive(block, c1=c1, c2=c2, n=n)
    require_number(block, e=e)
    if int(c2 * e) < 1:
        raise ValueError(f"{block}: c2={c2} with e={e} leaves no hidden channels")
    return int(c2 * e)


@register(
    "stage",
    source="YOLOv8",
    example=EXAMPLE,
    params="c = int(c2*e); 2*c1*c + 4*c + (n + 2)*c*c2 + 2*c2 + n*(18*c**2 + 4*c)",
)
class C2f(nn.Module):
    """1×1 conv to two halves, n inner blocks one after another on the second, all of them concatenated, 1×1 conv.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Weak: the concatenation of n + 2 parts is copied before the last convolution.
    Elsewhere: Ultralytics' `C2f` is the same and takes its weights by name; it has no other inner block and no gate.

    Raises:
        ValueError: a count below 1, e that leaves no hidden channels, or parts that are no inner block or gate.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        n: int = 1,
        shortcut: bool = False,
        inner: Part = "ConvBNAct",
        gate: Part | None = None,
        e: float = 0.5,
        act: Act = "silu",
    ) -> None:
        super().__init__()
        c = _hidden(type(self).__name__, c1, c2, n, e)
        make = Inner(inner, gate, shortcut, act)
        self.cv1 = make.around(c1, 2 * c)
        self.cv2 = make.around((2 + n) * c, c2)
        self.m = nn.ModuleList(self._inner(make, c) for _ in range(n))

    def _inner(self, make: Inner, c: int) -> nn.Module:
        return make(c)

    def forward(self, x: Tensor) -> Tensor:
        maps = list(self.cv1(x).chunk(2, dim=1))
        for block in self.m:
            maps.append(block(maps[-1]))
        return self.cv2(torch.cat(maps, dim=1))


@register(
    "stage",
    source="YOLOv5",
    example=EXAMPLE,
    params="c = int(c2*e); 2*c1*c + 4*c + 2*c*c2 + 2*c2 + n*(10*c**2 + 4*c)",
)
class C3(nn.Module):
    """n inner blocks in a chain after one 1×1 conv, another 1×1 conv beside them, concatenated, 1×1 conv.

    Plain inner blocks are a 1×1 and a 3×3 convolution.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Weak: a chain: only the last inner block's maps are concatenated, where C2f keeps those of every one.
    Elsewhere: Ultralytics' `C3` is the same; its `C3Ghost` is `plugins.C3` with `GhostBottleneck` inside, in
        Ultralytics' own form of it.

    Raises:
        ValueError: as `C2f`.
    """

    kernels = (1, 3)

    def __init__(
        self,
        c1: int,
        c2: int,
        n: int = 1,
        shortcut: bool = True,
        inner: Part = "ConvBNAct",
        gate: Part | None = None,
        e: float = 0.5,
        act: Act = "silu",
    ) -> None:
        super().__init__()
        c = _hidden(type(self).__name__, c1, c2, n, e)
        make = Inner(inner, gate, shortcut, act)
        self.cv1 = make.around(c1, c)
        self.cv2 = make.around(c1, c)
        self.cv3 = make.around(2 * c, c2)
        self.m = nn.Sequential(*(make(c, self.kernels) for _ in range(n)))

    def forward(self, x: Tensor) -> Tensor:
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], dim=1))


@part
class C3k(C3):
    """`C3` whose plain inner blocks are two 3×3 convolutions: what `C3k2` is made of where `c3k` is true."""

    kernels = (3, 3)


@register(
    "stage",
    source="YOLO11",
    example={"c1": 128, "c2": 128},
    large={"c3k": True},
    params="c = int(c2*e); h = max(1, c//2); q = int(c*0.5); 2*c1*c + 4*c + (n + 2)*c*c2 + 2*c2 + n*(2*c*q + 4*q"
    " + 2*q*c + 2*c + 2*(18*q**2 + 4*q) if c3k else 18*c*h + 2*h + 2*c)",
)
class C3k2(C2f):
    """`C2f` of bottlenecks with half the channels inside, or where `c3k` is true of C3s with two inner blocks each.

    Inner blocks add their input.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Weak: where `c3k` is true, three levels of parts are nested: many layers of few channels.
    Elsewhere: Ultralytics' `C3k2` is the same, with e and groups at other places of its row.

    Raises:
        ValueError: as `C2f`.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        n: int = 1,
        c3k: bool = False,
        inner: Part = "ConvBNAct",
        gate: Part | None = None,
        e: float = 0.5,
        act: Act = "silu",
    ) -> None:
        self.c3k = c3k
        super().__init__(c1, c2, n, True, inner, gate, e, act)

    def _inner(self, make: Inner, c: int) -> nn.Module:
        if self.c3k:
            return C3k(c, c, 2, True, make.inner, make.gate, act=make.act)
        return make(c, hidden=max(1, c // 2))


@register(
    "stage",
    source="GhostNet, 1911.11907",
    example=EXAMPLE,
    params="c = int(c2*e); q = int(c*squeeze); b = ceil(c2/2); i = ceil(q/2); o = ceil(c/2); "
    "c1*c + 13*c + (n + 2)*c*b + 13*b + n*(c*i + 13*i + q*o + 13*o)",
)
class C2fGhost(C2f):
    """C2f made of Ghost modules (1911.11907): 1×1 outside, a Ghost bottleneck c → ⌊c·squeeze⌋ → c inside.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Weak: twice as many layers as C2f: at stride 4 of yolov8n a fifth of the multiply-adds took as long as C2f's, in
        ONNX Runtime and in OpenVINO.
    Elsewhere: Ultralytics has `C3Ghost` alone, and no Ghost C2f.

    Raises:
        ValueError: as `C2f` and `GhostBottleneck`.
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
        require_number("C2fGhost", squeeze=squeeze)
        mid = int(_hidden("C2fGhost", c1, c2, n, e) * squeeze)
        super().__init__(c1, c2, n, shortcut, Choice(GhostBottleneck, {"mid": mid}), e=e, act=act)


@register(
    "stage",
    source="MobileNet, 1704.04861",
    example={**EXAMPLE, "d": 2},
    params="c = int(c2*e); 2*c1*c + 4*c + (n + 2)*c*c2 + 2*c2 + n*(22*c + 2*c**2 + 4*c)",
)
class C2fDW(C2f):
    """C2f with depthwise-separable 3×3 convolutions inside (1704.04861), the second one dilated by d.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Weak: as `DWConv`; `d` dilates the second layer of each inner block alone.

    Raises:
        ValueError: as `C2f` and `DWConv`.
    """

    def __init__(
        self, c1: int, c2: int, n: int = 1, shortcut: bool = False, d: int = 1, e: float = 0.5, act: Act = "silu"
    ) -> None:
        super().__init__(c1, c2, n, shortcut, Choice(DWConv, {"d": d}), e=e, act=act)


@register(
    "stage",
    source="ShuffleNet V1, 1707.01083",
    example=EXAMPLE,
    params="c = int(c2*e); 2*c1*c + 4*c + (n + 2)*c*c2 + 2*c2 + n*(c*(c//4)//g + 13*(c//4) + (c//4)*c//g + 2*c)",
)
class C2fShuffle(C2f):
    """C2f with ShuffleNet units inside (1707.01083), on g groups.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Weak: as `ShuffleUnit`; a quarter of the hidden channels must divide by g.

    Raises:
        ValueError: as `C2f` and `ShuffleUnit`.
    """

    def __init__(
        self, c1: int, c2: int, n: int = 1, shortcut: bool = False, g: int = 2, e: float = 0.5, act: Act = "silu"
    ) -> None:
        super().__init__(c1, c2, n, shortcut, Choice(ShuffleUnit, {"g": g}), e=e, act=act)


@register(
    "stage",
    source="1709.01507",
    example=EXAMPLE,
    params="c = int(c2*e); 2*c1*c + 4*c + (n + 2)*c*c2 + 2*c2 + n*(18*c**2 + 4*c + 2*c*max(1, c//r))",
)
class C2fSE(C2f):
    """C2f with squeeze-and-excitation (1709.01507) on each inner block's branch, before the sum.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Weak: adds work to C2f and saves none: 0.97 to 1.01 times as fast in OpenVINO and NCNN.

    Raises:
        ValueError: as `C2f` and `SE`.
    """

    def __init__(
        self, c1: int, c2: int, n: int = 1, shortcut: bool = False, r: int = 16, e: float = 0.5, act: Act = "silu"
    ) -> None:
        super().__init__(c1, c2, n, shortcut, ConvBNAct, Choice(SE, {"r": r}), e, act)
