"""Upsampling with kernels made from the content (CARAFE, 1905.02188).

Its two convolutions have batch norm, where the paper's have biases; as there, no activation.
"""

from __future__ import annotations

from torch import Tensor, nn

from .conv import ConvBNAct
from .geometry import require_odd, require_positive, same_padding
from .registry import register


@register(
    "same",
    stands_for=("up",),
    source="CARAFE, 1905.02188",
    example={"c1": 64},
    params="m = (scale*k)**2; c1*mid + 2*mid + enc_k**2*mid*m + 2*m",
)
class CARAFE(nn.Module):
    """1×1 to `mid` channels → `enc_k`×`enc_k` to a k×k kernel for each new pixel, softmax → weighted sum of pixels.

    In the place of `nn.Upsample`. A new pixel is the sum over the k×k old ones around the one that it lies in, zeros
    beyond the border; all channels share its kernel.

    Shape: (B, c1, H, W) → (B, c1, scale·H, scale·W). Source: CARAFE, 1905.02188, section 3.2.

    Weak: k² copies of the map in memory. Most of its weights, (scale·k)²·`enc_k`²·`mid`, do not depend on c1: on few
        channels it outweighs everything around it.
    Elsewhere: mmcv's `CARAFEPack` has biases in place of batch norm and a kernel of its own for CUDA; copies for YOLO
        unfold the upsampled map, scale² times the memory.

    Raises:
        ValueError: a count below 1, or an even kernel.
    """

    def __init__(self, c1: int, scale: int = 2, k: int = 5, enc_k: int = 3, mid: int = 64) -> None:
        super().__init__()
        require_positive("CARAFE", c1=c1, scale=scale, mid=mid)
        require_odd("CARAFE", k=k, enc_k=enc_k)
        self.scale, self.k = scale, k
        self.compress = ConvBNAct(c1, mid, act="identity")
        self.encode = ConvBNAct(mid, (scale * k) ** 2, enc_k, act="identity")

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        kernels = self.encode(self.compress(x)).view(b, 1, self.k**2, self.scale**2, h * w).softmax(2)
        pixels = nn.functional.unfold(x, self.k, padding=same_padding(self.k)).view(b, c, self.k**2, 1, h * w)
        new = (pixels * kernels).sum(2).view(b, c * self.scale**2, h, w)
        return nn.functional.pixel_shuffle(new, self.scale)
