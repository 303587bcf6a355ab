"""Attention and GhostNetV2 against other people's: timm with copied weights, and the equations written out naively."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
import yolo_plugins as yp
from cases import randomise
from test_references import copy_in_order
from torch import Tensor, nn

pytest.importorskip("timm")
from timm.layers.cbam import CbamModule
from timm.layers.coord_attn import CoordAttn, EfficientLocalAttn
from timm.layers.eca import EcaModule
from timm.models import ghostnet

SIZES = [(1, 1), (7, 13), (16, 16), (31, 2)]
sizes = pytest.mark.parametrize(("h", "w"), SIZES, ids=[f"{h}×{w}" for h, w in SIZES])


def image(c: int, h: int, w: int) -> Tensor:
    return torch.randn(2, c, h, w, generator=torch.Generator().manual_seed(h))


def group_norm(g: int) -> Callable[..., nn.Module]:
    return lambda c, **_: nn.GroupNorm(g, c)


PAIRS: dict[str, Callable[[int], tuple[nn.Module, nn.Module]]] = {
    "CBAM": lambda c: (yp.CBAM(c), CbamModule(c, rd_channels=max(1, c // 16))),
    "CBAM, 3×3": lambda c: (yp.CBAM(c, 4, 3), CbamModule(c, rd_channels=max(1, c // 4), spatial_kernel_size=3)),
    "CoordAtt": lambda c: (yp.CoordAtt(c), CoordAttn(c, rd_channels=max(8, c // 32))),
    "CoordAtt, r = 4": lambda c: (yp.CoordAtt(c, 4), CoordAttn(c, rd_channels=max(8, c // 4))),
    "ELA": lambda c: (yp.ELA(c), EfficientLocalAttn(c, act_layer=nn.Identity, norm_layer=group_norm(16))),
    "ELA, k = 5, one group": lambda c: (yp.ELA(c, 5, 1), EfficientLocalAttn(c, 5, act_layer=nn.Identity)),
}


@sizes
@pytest.mark.parametrize("c", [16, 48, 64, 256])
@pytest.mark.parametrize("make", PAIRS.values(), ids=PAIRS)
def test_a_gate_equals_timms(make: Callable[[int], tuple[nn.Module, nn.Module]], c: int, h: int, w: int) -> None:
    ours, theirs = map(randomise, make(c))
    copy_in_order(theirs, ours)
    torch.testing.assert_close(ours(image(c, h, w)), theirs(image(c, h, w)), atol=1e-6, rtol=1e-5)


@sizes
@pytest.mark.parametrize("c", [1, 3, 64, 100, 128, 512, 2048])
def test_eca_equals_timms_with_its_kernel_of_the_width(c: int, h: int, w: int) -> None:
    ours, theirs = yp.ECA(c).eval(), EcaModule(c).eval()
    assert ours.conv.weight.shape[2:] == (*theirs.conv.weight.shape[2:], 1)
    ours.conv.weight.data = theirs.conv.weight.data.unsqueeze(-1)
    torch.testing.assert_close(ours(image(c, h, w)), theirs(image(c, h, w)))


@pytest.mark.parametrize(("h", "w"), [(2, 3), (7, 13), (16, 16)])
@pytest.mark.parametrize(
    ("c1", "c2", "k", "s", "ratio"), [(16, 24, 1, 1, 2), (8, 15, 3, 1, 4), (12, 12, 5, 2, 3), (64, 128, 1, 2, 2)]
)
def test_ghost_conv_v2_equals_timms(c1: int, c2: int, k: int, s: int, ratio: int, h: int, w: int) -> None:
    theirs = randomise(ghostnet.GhostModuleV2(c1, c2, k, ratio, stride=s))
    ours = yp.GhostConvV2(c1, c2, k, s, ratio).eval()
    copy_in_order(theirs, ours)
    torch.testing.assert_close(ours(image(c1, h, w)), theirs(image(c1, h, w)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("c1", "mid", "c2", "k", "s", "se"), [(16, 32, 16, 3, 1, 0.0), (24, 73, 40, 5, 2, 0.25), (40, 120, 41, 5, 1, 0.25)]
)
def test_ghost_bottleneck_v2_equals_timms(c1: int, mid: int, c2: int, k: int, s: int, se: float) -> None:
    theirs = randomise(ghostnet.GhostBottleneck(c1, mid, c2, k, s, se_ratio=se, mode="attn"))
    ours = yp.GhostBottleneckV2(c1, c2, mid, k, s, se).eval()
    copy_in_order(theirs, ours)
    torch.testing.assert_close(ours(image(c1, 9, 14)), theirs(image(c1, 9, 14)), atol=1e-5, rtol=1e-5)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@sizes
def test_simam_is_its_equation_element_by_element(h: int, w: int) -> None:
    x = image(3, h, w)
    expected = torch.empty_like(x)
    for b in range(2):
        for c in range(3):
            values = x[b, c].flatten().tolist()
            mean = sum(values) / len(values)
            squares = [(v - mean) ** 2 for v in values]
            spread = sum(squares) / max(len(values) - 1, 1)
            weighed = [v * sigmoid(d / (4 * (spread + 1e-4)) + 0.5) for v, d in zip(values, squares, strict=True)]
            expected[b, c] = torch.tensor(weighed).view(h, w)
    torch.testing.assert_close(yp.SimAM(3)(x), expected)


def naive_ema(x: Tensor, block: yp.EMA, g: int) -> Tensor:
    """Each image's each group of channels by itself, as the paper draws it."""
    strip, norm, local = block.strip, block.norm, block.local
    m = x.shape[1] // g
    out = torch.empty_like(x)
    for b in range(x.shape[0]):
        for i in range(g):
            maps = x[b, i * m : (i + 1) * m]
            rows = torch.einsum("oi,ih->oh", strip.weight[:, :, 0, 0], maps.mean(2)) + strip.bias[:, None]
            columns = torch.einsum("oi,iw->ow", strip.weight[:, :, 0, 0], maps.mean(1)) + strip.bias[:, None]
            gated = maps * torch.sigmoid(rows)[:, :, None] * torch.sigmoid(columns)[:, None, :]
            mean, var = gated.mean((1, 2), keepdim=True), gated.var((1, 2), unbiased=False, keepdim=True)
            wide = (gated - mean) / (var + 1e-5).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]
            near = nn.functional.conv2d(maps[None], local.weight, local.bias, padding=1)[0]
            places = torch.einsum("c,chw->hw", wide.mean((1, 2)).softmax(0), near)
            places = places + torch.einsum("c,chw->hw", near.mean((1, 2)).softmax(0), wide)
            out[b, i * m : (i + 1) * m] = maps * torch.sigmoid(places)
    return out


@pytest.mark.parametrize(("h", "w"), [(1, 5), (7, 13), (16, 16)])
@pytest.mark.parametrize(("c", "g"), [(64, 8), (64, 32), (32, 32), (6, 3), (5, 1)])
def test_ema_is_its_equations_group_by_group(c: int, g: int, h: int, w: int) -> None:
    block = yp.EMA(c, g).eval()
    nn.init.uniform_(block.norm.weight)
    nn.init.normal_(block.norm.bias)
    x = image(c, h, w)
    torch.testing.assert_close(block(x), naive_ema(x, block, g), atol=1e-5, rtol=1e-4)


def naive_dilated(x: Tensor, weight: Tensor, d: int) -> Tensor:
    """A depthwise row or column of weights, dilated, place by place."""
    out, (_, _, kh, kw) = torch.zeros_like(x), weight.shape
    h, w = x.shape[2:]
    for i in range(kh):
        for j in range(kw):
            dy, dx = (i - kh // 2) * d, (j - kw // 2) * d
            for y in range(max(0, -dy), min(h, h - dy)):
                for z in range(max(0, -dx), min(w, w - dx)):
                    out[:, :, y, z] += weight[:, 0, i, j] * x[:, :, y + dy, z + dx]
    return out


@pytest.mark.parametrize(("k", "d", "near", "far"), [(7, 2, 3, 3), (11, 2, 3, 5), (23, 3, 5, 7), (53, 3, 5, 17)])
def test_lska_is_its_equations_place_by_place(k: int, d: int, near: int, far: int) -> None:
    block, x = yp.LSKA(5, k, d).eval(), image(5, 9, 12)
    y = x
    for conv, length, dilation in zip([*block.near, *block.far], [near, near, far, far], [1, 1, d, d], strict=True):
        assert max(conv.weight.shape[2:]) == length
        y = naive_dilated(y, conv.weight, dilation)
    y = torch.einsum("oi,bihw->bohw", block.mix.weight[:, :, 0, 0], y)
    torch.testing.assert_close(block(x), x * y, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (partial(yp.CBAM, 64), 612),
        (partial(yp.ECA, 64), 3),
        (partial(yp.SimAM, 64), 0),
        (partial(yp.EMA, 64), 672),
        (partial(yp.LSKA, 64, 23, 3), 2 * 64 * (5 + 7) + 64**2),
    ],
    ids=["CBAM", "ECA", "SimAM", "EMA", "LSKA"],
)
def test_a_gates_count_is_that_of_the_literature(build: Callable[[], nn.Module], count: int) -> None:
    assert sum(p.numel() for p in build().parameters()) == count


def test_ultralytics_class_of_the_same_name_is_another_block() -> None:
    conv = pytest.importorskip("ultralytics.nn.modules.conv")
    theirs = sum(p.numel() for p in conv.CBAM(64).parameters())
    assert theirs == 64**2 + 64 + 2 * 49
    assert not any(isinstance(m, nn.AdaptiveMaxPool2d) for m in conv.CBAM(64).modules())


GATES = ["CBAM", "ECA", "SimAM", "CoordAtt", "ELA", "EMA", "LSKA"]


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_stands_in_rows_in_stages_and_in_swapped_models(gate: str, patched: None) -> None:
    tasks = pytest.importorskip("ultralytics.nn.tasks")
    rows = [
        [-1, 1, "Conv", [64, 3, 2]],
        [-1, 2, "plugins.C2f", [64, True, "GhostBottleneck", gate]],
        [-1, 1, "plugins.C3k2", [64, True, "ConvBNAct", gate]],
        [-1, 1, f"plugins.{gate}", []],
    ]
    model = tasks.DetectionModel(
        {"nc": 1, "backbone": rows, "head": [[[-1], 1, "Detect", ["nc"]]]}, ch=3, verbose=False
    )
    assert [type(layer).__name__ for layer in model.model] == ["Conv", "C2f", "C3k2", gate, "Detect"]
    assert sum(type(m).__name__ == gate for m in model.modules()) == 2 + 2 + 1
    backbone = nn.Sequential(*list(model.model)[:1], pytest.importorskip("ultralytics.nn.modules").C2f(64, 64, 1, True))
    report = yp.replace(backbone, "C2f", inner="GhostBottleneckV2", gate=gate)
    assert [swap.now for swap in report.swapped] == ["C2f"]
    assert type(backbone[1].m[0].gate).__name__ == gate
    assert backbone(torch.zeros(1, 3, 16, 16)).shape == (1, 64, 8, 8)


@pytest.mark.parametrize("stage", ["C2f", "C3", "C3k2"])
def test_ghost_bottleneck_v2_is_an_inner_block_of_every_stage(stage: str) -> None:
    block = yp.BLOCKS[stage](32, 64, 2, True, "GhostBottleneckV2", "ECA").eval()
    assert sum(type(m) is yp.GhostBottleneckV2 for m in block.modules()) == (4 if stage == "C3k2" else 2)
    assert block(image(32, 9, 7)).shape == (2, 64, 9, 7)
