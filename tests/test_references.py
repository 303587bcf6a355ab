"""The blocks against other people's: exact figures, foreign implementations, and the faults often copied around."""

from collections.abc import Callable

import pytest
import torch
import yolo_plugins as yp
from cases import randomise
from torch import nn
from yolo_plugins.blocks.counting import parameters

mobilenet = pytest.importorskip("torchvision.models.mobilenetv3")


def macs(module: nn.Module, *shape: int) -> float:
    """What `thop`, as Ultralytics installs it, counts."""
    thop = pytest.importorskip("thop")
    return thop.profile(module, inputs=[torch.zeros(shape)], verbose=False)[0]


def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    """Copy tensors in the order in which both modules create them, which is the order in which they run."""
    values, names = list(source.state_dict().values()), list(target.state_dict())
    assert [v.shape for v in values] == [v.shape for v in target.state_dict().values()]
    target.load_state_dict(dict(zip(names, values, strict=True)))


def test_ghost_conv_64_to_128_has_the_figures_of_the_literature() -> None:
    for module, params, multiply_adds in (
        (yp.GhostConv(64, 128, 3), 37_696, 38_862_848),
        (nn.Conv2d(64, 128, 3, padding=1), 73_856, 75_497_472),
    ):
        assert parameters(module) == params
        assert macs(module, 1, 64, 32, 32) == multiply_adds


def test_dilated_depthwise_64_to_128_has_the_figures_of_the_literature() -> None:
    assert parameters(yp.DWConv(64, 128, 3, 1, 2)) == 9_152
    assert parameters(yp.ConvBNAct(64, 128, 3, d=2)) == 73_984
    small = yp.DWConv(4, 8)
    assert sum(m.weight.numel() for m in small.modules() if isinstance(m, nn.Conv2d)) == 36 + 32


def test_grouped_convolution_at_one_group_is_the_ordinary_one() -> None:
    ours = yp.GroupConv(6, 10, 3, 2, 1, "identity").eval()
    ours.bn = nn.Identity()
    plain = nn.Conv2d(6, 10, 3, 2, 1, bias=False)
    plain.load_state_dict(ours.conv.state_dict())
    x = torch.randn(1, 6, 9, 9)
    torch.testing.assert_close(ours(x), plain(x))


def test_channel_shuffle_is_torchs() -> None:
    x = torch.randn(2, 24, 3, 5)
    for g in (1, 2, 3, 8, 24):
        assert torch.equal(yp.channel_shuffle(x, g), nn.ChannelShuffle(g)(x))


def test_single_head_attention_equals_timms() -> None:
    """Without its normalisation before; timm makes queries, keys and values in one convolution."""
    shvit = pytest.importorskip("timm.models.shvit")
    theirs = randomise(shvit.SHSA(64, 16, 16))
    theirs.pre_norm = nn.Identity()
    ours = yp.SHSA(64).eval()
    copy_in_order(theirs.proj, ours.proj)
    whole = theirs.qkv.state_dict()
    for mine, rows in ((ours.q, slice(0, 16)), (ours.kv, slice(16, None))):
        values = (v[rows] if v.ndim else v for v in whole.values())
        mine.load_state_dict(dict(zip(mine.state_dict(), values, strict=True)))
    x = torch.randn(2, 64, 9, 7)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("c", [16, 40, 72, 960])
def test_squeeze_excite_equals_torchvisions(c: int) -> None:
    theirs = mobilenet.SElayer(c, yp.make_divisible(c // 4, 8), scale_activation=nn.Hardsigmoid)
    ours = yp.SqueezeExcite(c)
    copy_in_order(theirs, ours)
    x = torch.randn(2, c, 7, 9)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize(
    ("c1", "k", "mid", "c2", "se", "act", "s"),
    [
        pytest.param(16, 3, 16, 16, False, "RE", 1, id="no expansion"),
        pytest.param(16, 3, 64, 24, False, "RE", 2, id="stride 2"),
        pytest.param(24, 5, 72, 40, True, "RE", 2, id="gate"),
        pytest.param(80, 3, 200, 80, False, "HS", 1, id="h-swish, added"),
        pytest.param(160, 5, 960, 160, True, "HS", 1, id="gate, h-swish, added"),
    ],
)
def test_inverted_residual_equals_torchvisions(c1: int, k: int, mid: int, c2: int, se: bool, act: str, s: int) -> None:
    setting = mobilenet.InvertedResidualConfig(c1, k, mid, c2, se, act, s, 1, 1.0)
    theirs = randomise(mobilenet.InvertedResidual(setting, nn.BatchNorm2d))
    activation = {"RE": "relu", "HS": "hardswish"}[act]
    x = torch.randn(2, c1, 15, 11)
    for width in ({"expand": mid / c1}, {"mid": mid}):
        ours = yp.InvertedResidual(c1, c2, s, k=k, se=0.25 if se else 0.0, act=activation, **width).eval()
        copy_in_order(theirs, ours)
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


def test_h_swish_is_not_the_one_with_a_sigmoid() -> None:
    x = torch.linspace(-6, 6, 101)
    torch.testing.assert_close(yp.HSwish()(x), x * nn.functional.relu6(x + 3) / 6)
    assert (yp.HSwish()(x) - x * torch.sigmoid(x + 3) / 6).abs().max() > 1


@pytest.mark.parametrize("d", [1, 2, 3, 6])
@pytest.mark.parametrize("k", [1, 3, 5, 7])
def test_a_dilated_kernel_keeps_height_and_width(k: int, d: int) -> None:
    assert yp.DWConv(4, 4, k, 1, d).eval()(torch.zeros(1, 4, 32, 32)).shape[2:] == (32, 32)


def test_the_activation_is_applied_once_after_each_convolution() -> None:
    block = yp.DWConv(4, 8, act="hardswish").eval()
    x = torch.randn(1, 4, 6, 6)
    half = nn.functional.hardswish(block.depthwise.bn(block.depthwise.conv(x)))
    torch.testing.assert_close(block(x), nn.functional.hardswish(block.pointwise.bn(block.pointwise.conv(half))))


@pytest.mark.parametrize("ratio", [2, 3, 4, 7])
def test_ghost_conv_gives_every_channel_count_whatever_the_ratio(ratio: int) -> None:
    for c2 in range(1, 18):
        assert yp.GhostConv(3, c2, ratio=ratio).eval()(torch.zeros(1, 3, 4, 4)).shape[1] == c2


def test_ghost_conv_keeps_the_first_maps_in_the_papers_order() -> None:
    block = yp.GhostConv(4, 7).eval()
    x = torch.randn(1, 4, 5, 5)
    intrinsic = block.primary(x)
    torch.testing.assert_close(block(x), torch.cat([intrinsic, block.cheap(intrinsic)], 1)[:, :7])


def test_shuffle_unit_equals_its_equations() -> None:
    unit = randomise(yp.ShuffleUnit(24, 60, 2, 3))
    x = torch.randn(2, 24, 9, 7)
    y = torch.relu(unit.reduce.bn(unit.reduce.conv(x)))
    y = unit.depthwise.bn(unit.depthwise.conv(nn.ChannelShuffle(3)(y)))  # no activation here
    y = unit.expand.bn(unit.expand.conv(y))
    pooled = nn.functional.avg_pool2d(x, 3, 2, 1)
    torch.testing.assert_close(unit(x), torch.relu(torch.cat([y, pooled], 1)))


def test_c2f_se_takes_all_weights_of_ultralytics_c2f_by_name() -> None:
    modules = pytest.importorskip("ultralytics.nn.modules")
    theirs, ours = modules.C2f(16, 32, 2, True), yp.C2fSE(16, 32, 2, True)
    missing, unexpected = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert not unexpected
    assert all(".gate." in name for name in missing)


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: yp.ShuffleUnit(24, 30, 2, 3), r"c2=30 is not divisible by 4"),
    (lambda: yp.ShuffleUnit(24, 384, 2, 5), r"c1=24 and c2/4=96 cannot be divided into 5 groups.*: 1, 2, 3, 4, 6, 8"),
    (lambda: yp.ShuffleUnit(12, 40, 2, 4), r"c2/4=10 cannot be divided into 4 groups; group counts that fit: 1, 2"),
    (lambda: yp.ShuffleUnit(24, 48), r"c1=24 and c2=48 must be equal"),
    (lambda: yp.ShuffleUnit(48, 48, 2), r"c2=48 must exceed c1=48"),
    (lambda: yp.ShuffleUnit(48, 48, 3), r"stride s=3 is not one of 1, 2"),
    (lambda: yp.GroupConv(6, 8, 3, 1, 4), r"c1=6 cannot be divided into 4 groups; group counts that fit: 1, 2"),
    (lambda: yp.ConvBNAct(3, 8, 2), r"kernel k=2 is even and cannot keep H×W; use 1 or 3"),
    (lambda: yp.ConvBNAct(3, 0), r"c2=0 must be a whole number of at least 1"),
    (lambda: yp.ConvBNAct(3, 8.0), r"c2=8.0 must be a whole number"),
    (lambda: yp.ConvBNAct(3, 8, act="swoosh"), r"act='swoosh'.*relu.*silu"),
    (lambda: yp.GhostConv(4, 8, ratio=1), r"ratio=1 leaves no maps"),
    (lambda: yp.GhostConv(4, 8, cheap_k=4), r"kernel cheap_k=4 is even"),
    (lambda: yp.GhostBottleneck(4, 8, 8, s=3), r"stride s=3"),
    (lambda: yp.SqueezeExcite(8, 0), r"ratio=0 must be above 0"),
    (lambda: yp.SE(8, 0), r"r=0 must be"),
    (lambda: yp.InvertedResidual(8, 8, expand=0.5), r"expand=0.5 must be at least 1"),
    (lambda: yp.InvertedResidual(8, 8, 1.0), r"stride s=1.0 is not one of 1, 2"),
    (lambda: yp.C2fGhost(8, 1), r"c2=1 with e=0.5 leaves no hidden channels"),
    (lambda: yp.C2fGhost(8, 8, e=float("nan")), r"C2fGhost: e=nan must be a number"),
    (lambda: yp.C2fShuffle(8, 24, 1, g=4), r"ShuffleUnit: c2/4=3 cannot be divided into 4 groups"),
    (lambda: yp.C2fSE(8, 8, 0), r"n=0 must be"),
    (lambda: yp.ShuffleNetV1Stage(24, 3, groups=[3]), r"groups=\[3\] is not supported"),
    (lambda: yp.channel_shuffle(torch.zeros(1, 6, 2, 2), 4), r"6 channels cannot be divided into 4 groups"),
]


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_impossible_geometry_is_refused_with_the_numbers(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
