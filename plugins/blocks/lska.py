"""Large separable kernel attention (LSKA, 2309.01439). No biases, as its equations and formula have none."""

from __future__ import annotations

from torch import Tensor, nn

from .geometry import require_positive, same_padding
from .registry import register


@register(
    "same",
    gate=True,
    source="LSKA, 2309.01439",
    example={"c1": 64},
    params="2*c1*(2*d - 1) + 2*c1*(k//d) + c1**2",
)
class LSKA(nn.Module):
    """Depthwise 1×(2d − 1), (2d − 1)×1, then 1×⌊k/d⌋, ⌊k/d⌋×1 dilated by d, then 1×1 → multiply.

    So it sees about k×k. The paper's pairs of k and d are 7 and 11 with 2; 23, 35, 41 and 53 with 3.

    Shape: (B, c1, H, W) → the same. Source: LSKA, 2309.01439.

    Weak: nothing bounds the weights, as there is no sigmoid: outputs grow with the square of the input. Four depthwise
        layers wait for memory, and c1² weights make it dear at the widest maps. Where a map is smaller than k, most of
        what it sees is padding.
    Elsewhere: copies of the published code have biases (5·c1 parameters more) and take those six sizes alone; others
        of this name have no dilation, or a sigmoid before the product.

    Raises:
        ValueError: a count below 1, or k and d that make an even kernel.
    """

    def __init__(self, c1: int, k: int = 11, d: int = 2) -> None:
        super().__init__()
        require_positive("LSKA", c1=c1, k=k, d=d)
        near, far = 2 * d - 1, k // d
        if far % 2 == 0:
            raise ValueError(f"LSKA: k={k} at d={d} makes kernels of ⌊k/d⌋={far}, which is even; use k={(far + 1) * d}")
        self.near = _cross(c1, near, 1)
        self.far = _cross(c1, far, d)
        self.mix = nn.Conv2d(c1, c1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mix(self.far(self.near(x)))


def _cross(c: int, k: int, d: int) -> nn.Sequential:
    """A depthwise row and a depthwise column of k, dilated by d."""
    padding = same_padding(k, d)
    return nn.Sequential(
        nn.Conv2d(c, c, (1, k), padding=(0, padding), dilation=(1, d), groups=c, bias=False),
        nn.Conv2d(c, c, (k, 1), padding=(padding, 0), dilation=(d, 1), groups=c, bias=False),
    )
