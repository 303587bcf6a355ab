"""SimAM (ICML 2021, PMLR 139): attention without parameters, from how far an element stands out of its map."""

from __future__ import annotations

from torch import Tensor, nn

from .geometry import require_number, require_positive
from .registry import register


@register("same", gate=True, source="SimAM, ICML 2021", example={"c1": 64}, params="0")
class SimAM(nn.Module):
    """x · σ(d / (4·(Σd / (H·W − 1) + λ)) + ½), d = (x − mean)² within each channel; it has no parameters.

    Shape: (B, c1, H, W) → the same. Source: SimAM, ICML 2021 (PMLR 139, 11863–11874).

    Weak: nothing to learn and no multiply-adds that are counted, but several passes over the whole map, whose time is
        not counted either. What it computes depends on the size of the image that it sees.
    Elsewhere: the same formula in most copies; λ is 1e-4 in the authors' code.

    Raises:
        ValueError: a count below 1, or λ that is not above 0.
    """

    def __init__(self, c1: int, eps: float = 1e-4) -> None:
        super().__init__()
        require_positive("SimAM", c1=c1)
        require_number("SimAM", eps=eps)
        if eps <= 0:
            raise ValueError(f"SimAM: eps={eps!r} must be above 0")
        self.eps = eps
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[2] * x.shape[3]
        d = (x - self.mean(x)).square()
        variance = self.mean(d) * (n / max(n - 1, 1))
        return x * self.gate(d / (4 * (variance + self.eps)) + 0.5)
