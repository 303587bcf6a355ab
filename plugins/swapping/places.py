"""Where a light block can stand: convolutions, bottlenecks and stages, known by their structure and not by their name.

Nothing of Ultralytics, torchvision or timm is imported: a stage is what has a stage's parts.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from ..blocks.geometry import same_padding
from ..blocks.registry import spec_of
from ..blocks.signature import refuse_unknown, signature_of
from ..rows.errors import reason_of

GEOMETRY = {
    "conv": ("k", "s", "d"),
    "bottleneck": ("k", "s", "mid", "shortcut"),
    "stage": ("n", "shortcut", "e", "c3k", "pool"),
    "up": ("scale",),
    "join": (),
}
"""What a block of each kind is told about its place, as far as its signature has it."""


@dataclass(frozen=True)
class Place:
    """A convolution, bottleneck or stage of c1 → c2 channels at stride s, as the block that stands in must keep it.

    `n` inner blocks of ratio `e` make a stage, stages themselves where `c3k` is true, `mid` hidden channels a
    bottleneck. A stage with `attention` attends to a map `pool` times smaller, or to a part of it of that size. `act`
    is the activation at the end, None for none. An upsampling ("up") makes maps `scale` times as large, a "join" one
    map of several of `sources` channels.
    """

    kind: str
    c1: int
    c2: int
    k: int = 3
    s: int = 1
    d: int = 1
    n: int = 1
    shortcut: bool = False
    e: float = 0.5
    c3k: bool = False
    mid: int = 0
    attention: bool = False
    pool: int = 1
    act: nn.Module | None = None
    scale: int = 1
    sources: tuple[int, ...] = ()

    def channels(self, block: type[nn.Module]) -> dict[str, Any]:
        """The channels that `block` is to be called with here, as far as its signature has them."""
        given = {"c1": list(self.sources) if self.kind == "join" else self.c1, "c2": self.c2}
        return {name: c for name, c in given.items() if name in signature_of(block)}


SIDE = 16
"""Side of the map on which is tried whether a block fits."""


ATTENTION = "has attention inside"


class NoPlace(ValueError):
    """A module that is a convolution, bottleneck or stage, but that no light block can stand for; says why."""


def kinds(block: type[nn.Module]) -> tuple[str, ...]:
    """What `block` can stand for."""
    spec = spec_of(block)
    return spec.places if spec else ()


def attends(block: type[nn.Module]) -> bool:
    """Whether `block` can stand for a stage with attention."""
    spec = spec_of(block)
    return spec is not None and spec.attends


def arguments(block: type[nn.Module], place: Place, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What `block` is to be called with at `place`, after c1 and c2; `options` come first.

    Raises:
        ValueError: an option that the block does not take.
        NoPlace: geometry that it has no parameter for.
    """
    options = dict(options or {})
    refuse_unknown(block, options)
    names = [name for name in signature_of(block) if name not in ("c1", "c2")]
    told = {name: getattr(place, name) for name in names if name in GEOMETRY[place.kind]} | options
    for name, plain, word in (("k", 3, "kernel"), ("s", 1, "stride"), ("d", 1, "dilation")):
        value = getattr(place, name)
        if name not in told and value != plain:
            raise NoPlace(f"{block.__name__} cannot be given a {word}: it is {plain}, where {value} is needed")
    return {name: told[name] for name in names if name in told}


def row_arguments(block: type[nn.Module], place: Place, options: Mapping[str, Any] | None = None) -> list[Any]:
    """A YAML row's arguments after c2: by position, up to the last that `options` give or that is not its default."""
    options = options or {}
    chosen = arguments(block, place, options)
    own = {name: p.default for name, p in signature_of(block).items() if name not in ("c1", "c2", "n")}
    given = [chosen.get(name, default) for name, default in own.items()]
    for name, default in reversed(own.items()):
        if name in options or chosen.get(name, default) != default:
            break
        given.pop()
    return given


def standing(block: type[nn.Module], place: Place) -> Place:
    """The place as `block` sees it: a lone bottleneck is a stage of one for a block that stands for stages."""
    lone = place.kind == "bottleneck" and "stage" in kinds(block) and place.s == 1
    return replace(place, kind="stage") if lone else place


def refusal(block: type[nn.Module], place: Place, options: Mapping[str, Any] | None = None) -> str | None:
    """Why `block` cannot stand at `place`, or None where it can; nothing is allocated."""
    if place.kind not in kinds(block):
        return f"{block.__name__} stands for a {' or a '.join(kinds(block)) or 'nothing'}, not for a {place.kind}"
    if place.attention and not attends(block):
        return ATTENTION
    try:
        with torch.device("meta"):
            block(**place.channels(block), **arguments(block, place, options))
    except ValueError as error:
        return str(error)
    return None


def misfit(block: type[nn.Module], place: Place, options: Mapping[str, Any] | None = None) -> str | None:
    """Why `block`, which can be built for `place`, makes other maps than are needed there, or None."""
    size, wanted = SIDE, place.scale * -(-SIDE // place.s)
    with torch.device("meta"), torch.no_grad():
        made = block(**place.channels(block), **arguments(block, place, options)).eval()
        x = [torch.zeros(1, c, size, size) for c in place.sources or (place.c1,)]
        try:
            got = tuple(made(x if place.kind == "join" else x[0]).shape)
        except Exception as error:
            return f"{block.__name__} cannot run here: {reason_of(error)}"
    if got != (1, place.c2, wanted, wanted):
        needed = f"{place.c2}×{wanted}×{wanted}"
        return f"{block.__name__} makes {'×'.join(map(str, got[1:]))} of {place.c1}×{size}×{size}, not {needed}"
    return None


def place_of(module: nn.Module, with_attention: bool = False) -> Place | None:
    """The place that `module` is, or None for a module of another sort; stages with attention only if asked for.

    Raises:
        NoPlace: it is one, but what it does cannot be kept: attention, an even kernel, groups, odd padding.
    """
    if isinstance(module, nn.Conv2d):
        return _conv(module, None)
    group = conv_group(module)
    if group is not None:
        return _conv(*group)
    place = _stage(module) or _bottleneck(module)
    if place is None:
        return None
    inner = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    attention = [m for name, m in module.named_modules() if name.rsplit(".", 1)[-1] == "attn"]
    if attention:
        guided = attention[0] is getattr(module, "attn", None) and not hasattr(module, "ffn")  # by text, as C2fAttn
        if guided or not with_attention or place.kind != "stage":
            raise NoPlace(ATTENTION)
        return replace(place, attention=True, pool=math.isqrt(getattr(attention[0], "area", 1)))
    if any(m.groups > 1 for m in inner):
        raise NoPlace("is light already: grouped convolutions inside")
    return place


def conv_group(module: nn.Module) -> tuple[nn.Conv2d, nn.Module | None] | None:
    """Convolution and activation of a module that is nothing but conv[–BN][–activation], or None."""
    parts = [m for m in module.children() if not isinstance(m, nn.Identity | nn.Dropout)]
    # Of one part, the convolution itself is the place; what holds it may do more than call it.
    if len(parts) not in (2, 3) or type(parts[0]) is not nn.Conv2d or any(list(m.children()) for m in parts):
        return None
    rest = parts[2:] if is_norm(parts[1]) else parts[1:]
    if len(rest) > 1 or not all(map(is_activation, rest)) or not _is_chain(module, parts):
        return None
    return parts[0], rest[0] if rest else None


def _is_chain(module: nn.Module, parts: list[nn.Module]) -> bool:
    """Whether a module calls its parts one after another and does no more, as seen on noise."""
    conv = parts[0]
    assert isinstance(conv, nn.Conv2d)
    if type(module).forward is nn.Sequential.forward or conv.weight.is_meta:
        return True
    whole, chain = copy.deepcopy(module).eval(), nn.Sequential(*copy.deepcopy(parts)).eval()
    for part in (*whole.modules(), *chain.modules()):
        part._forward_hooks.clear()
        part._forward_pre_hooks.clear()
    size = 2 + max(k * d for k, d in zip(conv.kernel_size, conv.dilation, strict=True))
    x = torch.randn(1, conv.in_channels, size, size, generator=torch.Generator().manual_seed(0)).to(conv.weight)
    try:
        with torch.no_grad():
            return torch.allclose(whole(x), chain(x), rtol=1e-3, atol=1e-4)
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return False  # it takes or gives something else


def is_activation(module: nn.Module) -> bool:
    """Whether a module is one of torch's activations, or a relative of them."""
    return type(module).__module__ == "torch.nn.modules.activation" and not isinstance(module, nn.MultiheadAttention)


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a batch norm, frozen ones included."""
    return isinstance(module, nn.BatchNorm2d) or type(module).__name__ in ("FrozenBatchNorm2d", "BatchNormAct2d")


def _conv(conv: nn.Conv2d, act: nn.Module | None) -> Place:
    (k, kw), (s, sw), (d, dw) = conv.kernel_size, conv.stride, conv.dilation
    if type(conv) is not nn.Conv2d:
        raise NoPlace(f"is a {type(conv).__name__}, which pads in its own way")
    if (k, s, d) != (kw, sw, dw):
        raise NoPlace(f"has a {k}×{kw} kernel, stride {s}×{sw} and dilation {d}×{dw}; a block's are square")
    if conv.groups > 1:
        raise NoPlace(f"is light already: {conv.groups} groups")
    if k % 2 == 0:
        raise NoPlace(f"has an even kernel of {k}, which cannot keep H×W")
    padding = conv.padding if isinstance(conv.padding, str) else conv.padding[0]
    if padding != same_padding(k, d) and (padding != "same" or s > 1):
        raise NoPlace(f"is padded by {padding}, where {same_padding(k, d)} keeps H×W")
    return Place("conv", conv.in_channels, conv.out_channels, k, s, d, act=act)


def _stage(module: nn.Module) -> Place | None:
    """C2f, C3k2 and A2C2f (a list of inner blocks), C2, C3 and RepC3 (a chain), ELAN, or a row of bottlenecks."""
    if type(module) is nn.Sequential:
        places = [place for m in module if (place := _bottleneck(m)) is not None and place.s == 1]
        if len(places) < max(2, len(module)):
            return None
        return replace(places[0], kind="stage", c2=places[-1].c2, n=len(places))
    cv1, cv2, cv4 = (_outer(module, name) for name in ("cv1", "cv2", "cv4"))
    m = getattr(module, "m", None)
    if cv1 is None:
        return None
    last_conv = next((c for name in ("cv4", "cv3", "cv2") if (c := _outer(module, name)) is not None), cv1)
    c1, c2, act = cv1.in_channels, last_conv.out_channels, _last_activation(module)
    if cv4 is not None and m is None:
        return Place("stage", c1, c2, n=2, e=(cv4.in_channels - cv1.out_channels) / 2 / c2, act=act)
    if cv2 is not None and m is None and hasattr(module, "attn") and hasattr(module, "ffn"):
        return Place("stage", c1, c2, act=act)
    if cv2 is None or not isinstance(m, nn.ModuleList | nn.Sequential) or not len(m):
        return None
    shortcut = any(getattr(b, "add", False) for b in module.modules())
    whole, half = cv1.out_channels, cv1.out_channels // 2
    hidden = half if _outer(module, "cv3") is None and cv2.in_channels in (whole, half * (2 + len(m))) else whole
    nested = all(_outer(block, "cv3") is not None and hasattr(block, "m") for block in m)
    return Place("stage", c1, c2, n=len(m), shortcut=shortcut, e=min(hidden / c2, 0.5), c3k=nested, act=act)


def _bottleneck(module: nn.Module) -> Place | None:
    """Two or three convolutions with a shortcut around: Ultralytics' (cv1, cv2, add), ResNet's (conv1, conv2, …)."""
    if hasattr(module, "add") and not hasattr(module, "m"):
        names, shortcut = ["cv1", "cv2"], bool(module.add)
    elif hasattr(module, "downsample"):
        names, shortcut = [name for name in ("conv1", "conv2", "conv3") if hasattr(module, name)], True
    else:
        return None
    convs = [conv for name in names if (conv := _outer(module, name)) is not None]
    if len(convs) < max(2, len(names)):
        return None
    if any(c.dilation[0] > 1 for c in convs):
        raise NoPlace("is dilated inside")
    kernel, stride = max(c.kernel_size[0] for c in convs), math.prod(c.stride[0] for c in convs)
    first, last = convs[0], convs[-1]
    return Place(
        "bottleneck", first.in_channels, last.out_channels, kernel, stride, shortcut=shortcut,
        e=min(first.out_channels / last.out_channels, 0.5), mid=first.out_channels, act=_last_activation(module),
    )  # fmt: skip


def _outer(module: nn.Module, name: str) -> nn.Conv2d | None:
    """The convolution that a part is, or that it holds as `conv`."""
    part = getattr(module, name, None)
    conv = getattr(part, "conv", part)
    return conv if isinstance(conv, nn.Conv2d) else None


def _last_activation(module: nn.Module) -> nn.Module | None:
    return next((m for m in reversed(list(module.modules())) if is_activation(m)), None)
