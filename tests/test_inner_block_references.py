"""Inner blocks against timm's and torchvision's: weights copied, eval mode, odd sizes; GSConv against its text."""

from collections.abc import Callable

import pytest
import torch
import yolo_plugins as yp
from cases import randomise
from test_references import copy_in_order
from torch import Tensor, nn
from yolo_plugins.blocks.counting import parameters


def agree(ours: nn.Module, theirs: nn.Module, c: int, rename: Callable[[str], str] | None = None) -> None:
    """Theirs, with batch norms that are not at their start, gives ours its weights, and then the same outputs."""
    randomise(theirs)
    if rename is None:
        copy_in_order(theirs, ours)
    else:
        ours.load_state_dict({rename(name): value for name, value in theirs.state_dict().items()})
    x = torch.randn(2, c, 15, 11)
    torch.testing.assert_close(ours.eval()(x), theirs(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("c", "divisions", "ratio"), [(64, 4, 2.0), (30, 4, 2.0), (24, 3, 3.0)], ids=["paper", "odd channels", "thirds"]
)
def test_faster_block_equals_timms(c: int, divisions: int, ratio: float) -> None:
    fasternet = pytest.importorskip("timm.models.fasternet")
    theirs = fasternet.MLPBlock(c, divisions, ratio, 0.0, 0.0)
    names = {
        "mlp.0": "expand.conv",
        "mlp.1": "expand.bn",
        "mlp.3": "project",
        "spatial_mixing.partial_conv3": "mix.conv",
    }

    def rename(name: str) -> str:
        part, _, tensor = name.rpartition(".")
        return f"{names[part]}.{tensor}"

    agree(yp.FasterBlock(c, c, e=1 / divisions, expand=ratio), theirs, c, rename)


@pytest.mark.parametrize(("c", "ratio"), [(64, 4), (24, 3)])
def test_star_block_equals_timms(c: int, ratio: int) -> None:
    starnet = pytest.importorskip("timm.models.starnet")
    theirs = starnet.Block(c, ratio)
    names = {
        "dwconv.conv": "depthwise1", "dwconv.bn": "bn1", "f1.conv": "f1", "f2.conv": "f2", "g.conv": "project",
        "g.bn": "bn2", "dwconv2.conv": "depthwise2",
    }  # fmt: skip

    def rename(name: str) -> str:
        part, _, tensor = name.rpartition(".")
        return f"{names[part]}.{tensor}"

    agree(yp.StarBlock(c, c, expand=ratio), theirs, c, rename)


@pytest.mark.parametrize("s", [1, 2])
@pytest.mark.parametrize(
    ("start_k", "k"),
    [
        pytest.param(3, 5, id="ExtraDW"),
        pytest.param(0, 3, id="inverted bottleneck"),
        pytest.param(5, 0, id="ConvNext-like"),
        pytest.param(0, 0, id="feed-forward"),
    ],
)
@pytest.mark.parametrize("c2", [40, 56])
def test_uib_equals_timms_in_all_its_forms(start_k: int, k: int, s: int, c2: int) -> None:
    blocks = pytest.importorskip("timm.models._efficientnet_blocks")
    if s == 2 and not start_k and not k:
        with pytest.raises(ValueError, match="no depthwise layer for stride s=2"):
            yp.UIB(40, c2, s, start_k=0, k=0)
        return
    theirs = blocks.UniversalInvertedResidual(40, c2, start_k, k, 0, s, exp_ratio=3.3, layer_scale_init_value=None)
    agree(yp.UIB(40, c2, s, 3.3, start_k, k), theirs, 40)


@pytest.mark.parametrize(("c", "se"), [(64, False), (64, True), (40, True), (72, True)])
def test_repvit_block_equals_timms_before_and_after_fusing(c: int, se: bool) -> None:
    repvit = pytest.importorskip("timm.models.repvit")
    theirs = repvit.RepViTBlock(c, 2, 3, se, nn.GELU)
    ours = yp.RepViTBlock(c, c, se=0.25 if se else 0.0)
    agree(ours, theirs, c)
    x = torch.randn(2, c, 15, 11)
    fused = yp.fuse(ours)
    torch.testing.assert_close(fused(x), theirs(x), atol=1e-5, rtol=1e-5)
    convolutions = [m for m in fused.mixer.modules() if isinstance(m, nn.Conv2d)]
    assert [conv.groups for conv in convolutions] == [c]  # one depthwise convolution is all that is left


@pytest.mark.parametrize(("c1", "c2", "s"), [(116, 116, 1), (24, 116, 2), (58, 48, 2)])
def test_shuffle_unit_v2_equals_torchvisions(c1: int, c2: int, s: int) -> None:
    shufflenet = pytest.importorskip("torchvision.models.shufflenetv2")
    agree(yp.ShuffleUnitV2(c1, c2, s), shufflenet.InvertedResidual(c1, c2, s), c1)


@pytest.mark.parametrize(
    ("build", "params"),
    [
        (lambda: yp.FasterBlock(64, 64), 18_944),
        (lambda: yp.StarBlock(64, 64), 56_384),
        (lambda: yp.UIB(64, 64), 36_928),
        (lambda: yp.RepViTBlock(64, 64), 17_728),
        (lambda: yp.fuse(yp.RepViTBlock(64, 64)), 4 * 64 * 64 + 13 * 64),
    ],
    ids=["FasterBlock", "StarBlock", "UIB", "RepViTBlock", "RepViTBlock fused"],
)
def test_parameters_at_64_channels_are_the_papers(build: Callable[[], nn.Module], params: int) -> None:
    assert parameters(build()) == params


def test_gs_conv_gives_the_even_channels_and_then_the_odd_ones() -> None:
    block = randomise(yp.GSConv(6, 8, 3))
    x = torch.randn(3, 6, 9, 7)
    dense = torch.relu(block.dense.bn(block.dense.conv(x)))
    both = torch.cat([dense, torch.relu(block.cheap.bn(block.cheap.conv(dense)))], 1)
    torch.testing.assert_close(block(x), both[:, [0, 2, 4, 6, 1, 3, 5, 7]])


def batched(build: Callable[[], nn.Module], x: Tensor) -> None:
    block = randomise(build())
    torch.testing.assert_close(block(x), torch.cat([block(image) for image in x.split(1)]))


@pytest.mark.parametrize("name", ["GSConv", "ShuffleUnitV2", "VoVGSCSP"])
def test_an_image_does_not_depend_on_the_others_of_its_batch(name: str) -> None:
    batched(lambda: yp.BLOCKS[name](16, 16), torch.randn(3, 16, 9, 7))


def test_vov_gscsp_has_nothing_that_forward_does_not_use() -> None:
    stage, ran = yp.VoVGSCSP(16, 32, 2).eval(), set()
    for name, module in stage.named_modules():
        module.register_forward_hook(lambda *_, name=name: ran.add(name))
    stage(torch.zeros(1, 16, 8, 8))
    assert {name for name, module in stage.named_modules() if list(module.parameters(recurse=False))} <= ran


def test_vov_gscsp_is_a_c3_of_gs_bottlenecks() -> None:
    named = randomise(yp.VoVGSCSP(16, 32, 2))
    composed = yp.C3(16, 32, 2, True, "GSBottleneck").eval()
    composed.load_state_dict(named.state_dict())
    x = torch.randn(1, 16, 9, 7)
    torch.testing.assert_close(composed(x), named(x))


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: yp.PConv(3), r"PConv: e=0.25 must take at least one of the c1=3 channels"),
    (lambda: yp.FasterBlock(16, 32), r"FasterBlock: it keeps its channels, so c1=16 and c2=32 must be equal"),
    (lambda: yp.FasterBlock(16, 16, expand=0.01), r"FasterBlock: expand=0.01 leaves no hidden channels of c1=16"),
    (lambda: yp.StarBlock(16, 16, dw_k=6), r"StarBlock: kernel dw_k=6 is even"),
    (lambda: yp.UIB(16, 16, 3), r"UIB: stride s=3 is not one of 1, 2"),
    (lambda: yp.UIB(16, 16, k=2), r"UIB: kernel k=2 is even"),
    (lambda: yp.RepViTBlock(16, 16, se=2), r"RepViTBlock: se=2 must be from 0"),
    (lambda: yp.ShuffleUnitV2(15, 15), r"ShuffleUnitV2: c2=15 has no halves; use 14 or 16"),
    (lambda: yp.ShuffleUnitV2(16, 32), r"so c1=16 and c2=32 must be equal"),
    (lambda: yp.GSConv(16, 15), r"GSConv: c2=15 has no halves"),
    (lambda: yp.VoVGSCSP(16, 30), r"GSConv: c2=15 has no halves"),
    (lambda: yp.C2f(16, 30, inner="ShuffleUnitV2"), r"ShuffleUnitV2: c2=15 has no halves"),
]


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_impossible_geometry_is_refused_with_the_numbers(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
