"""Single-head self-attention (SHViT, 2401.16456), and a stage of RepGhost modules that ends each with it.

Ours has no normalisation before, batch norm after; a quarter of the channels attends, where the paper takes 1/4.67;
keys and values of large maps may be those of a smaller one, as in PVT (2102.12122). Nothing of it depends on the map's
size, so weights trained at one size run at another.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .activation import Act, activation
from .conv import ConvBNAct
from .geometry import require_positive
from .registry import register
from .repghost import RepGhostStage


@register(
    "same",
    source="SHViT, 2401.16456",
    example={"c1": 64},
    params="m = c1//share; c1**2 + 2*c1 + m*(2*qk + m) + 2*(2*qk + m) + (11*m if pool > 1 else 0)",
)
class SHSA(nn.Module):
    """A share of the channels attends over all pixels with one head; 1×1 over them and the others after an activation.

    One of `share` channels attends, with queries and keys of `qk` channels. Keys and values are those of every pixel,
    or where `pool` is above 1 of a map that a depthwise 3×3 of that stride makes.

    Shape: (B, c1, H, W) → the same.

    Weak: every pixel is compared with every other: dear on large maps unless `pool` is above 1.
    Elsewhere: the authors' layer normalises its input first and lets 1/4.67 of the channels attend.

    Raises:
        ValueError: a count below 1, or fewer channels than `share`.
    """

    def __init__(self, c1: int, share: int = 4, qk: int = 16, pool: int = 1, act: Act = "relu") -> None:
        super().__init__()
        require_positive("SHSA", c1=c1, share=share, qk=qk, pool=pool)
        if c1 < share:
            raise ValueError(f"SHSA: a share of 1/{share} of c1={c1} leaves no channel")
        self.part, self.qk = c1 // share, qk
        self.q = ConvBNAct(self.part, qk, act="identity")
        self.pool = ConvBNAct(self.part, self.part, 3, pool, self.part, act="identity") if pool > 1 else nn.Identity()
        self.kv = ConvBNAct(self.part, qk + self.part, act="identity")
        self.act = activation(act)
        self.proj = ConvBNAct(c1, c1, act="identity")

    def forward(self, x: Tensor) -> Tensor:
        attending, others = x.split((self.part, x.shape[1] - self.part), 1)
        q = self.q(attending).flatten(2) * self.qk**-0.5
        k, v = self.kv(self.pool(attending)).flatten(2).split((self.qk, self.part), 1)
        weights = (q.transpose(1, 2) @ k).softmax(2)
        y = (v @ weights.transpose(1, 2)).reshape(attending.shape)
        return self.proj(self.act(torch.cat([y, others], 1)))


@register(
    "stage",
    source="SHViT, 2401.16456",
    example={"c1": 64, "c2": 64},
    attends=True,
    params="m = c2//4; c1*c2 + (n - 1)*c2**2 + n*(cheap_k**2 + 6)*c2"
    " + n*(c2**2 + 2*c2 + m*(32 + m) + 2*(32 + m) + (11*m if pool > 1 else 0))",
)
class RepGhostAttention(RepGhostStage):
    """`RepGhostStage` with single-head attention after each module, added: what stands for C2PSA, A2C2f and the like.

    Shape: (B, c1, H, W) → (B, c2, H, W).

    Weak: as `SHSA`, once a module.

    Raises:
        ValueError: as `RepGhostConv` and `SHSA`.
    """

    def __init__(self, c1: int, c2: int, n: int = 1, cheap_k: int = 5, pool: int = 1, act: Act = "relu") -> None:
        super().__init__(c1, c2, n, cheap_k, act)
        self.attention = nn.ModuleList(SHSA(c2, pool=pool, act=act) for _ in range(n))

    def forward(self, x: Tensor) -> Tensor:
        for i, (module, attention) in enumerate(zip(self.m, self.attention, strict=True)):
            y = module(x)
            x = x + y if i or self.add_first else y
            x = x + attention(x)
        return x
