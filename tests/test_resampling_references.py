"""SPDConv, DySample, CARAFE and WeightedSum, each against a plain computation of its paper, pixel by pixel."""

import math
from collections.abc import Callable

import pytest
import torch
import yolo_plugins as yp
from cases import randomise
from torch import Tensor, nn
from yolo_plugins.blocks.counting import parameters


def image(c: int, h: int = 5, w: int = 7, batch: int = 2) -> Tensor:
    return torch.randn(batch, c, h, w, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("build", "params"),
    [
        (lambda: yp.SPDConv(64, 128), 4 * 9 * 64 * 128 + 2 * 128),
        (lambda: yp.DySample(64), 32 * 64 + 32),
        (lambda: yp.CARAFE(64), 64 * 64 + 57_928),
        (lambda: yp.WeightedSum([64, 64, 64], 64), 3),
    ],
    ids=["SPDConv", "DySample", "CARAFE", "WeightedSum"],
)
def test_parameters_at_64_channels_are_the_papers(build: Callable[[], nn.Module], params: int) -> None:
    assert parameters(build()) == params


@pytest.mark.parametrize(("h", "w"), [(8, 6), (5, 7)], ids=["even", "odd"])
def test_spd_conv_is_a_convolution_of_the_pixels_of_four_quarters(h: int, w: int) -> None:
    block, x = randomise(yp.SPDConv(3, 4, 3)), image(3, h, w)
    quarters = torch.zeros(2, 12, math.ceil(h / 2), math.ceil(w / 2))
    for y in range(h):
        for z in range(w):
            quarter = (y % 2) + 2 * (z % 2)  # the paper's order: (0, 0), (1, 0), (0, 1), (1, 1)
            quarters[:, 3 * quarter : 3 * quarter + 3, y // 2, z // 2] = x[:, :, y, z]
    plain = nn.Conv2d(12, 4, 3, 1, 1, bias=False)
    plain.load_state_dict(block.conv.state_dict())
    expected = torch.relu(block.bn(plain(quarters)))
    torch.testing.assert_close(block(x), expected)
    fused = yp.fuse(block)
    assert fused.conv.kernel_size == (6, 6)
    torch.testing.assert_close(fused(x), expected, atol=1e-5, rtol=1e-5)


def bilinear(x: Tensor, y: float, z: float) -> Tensor:
    """The value of one map (H, W) between its pixels' centres, at whole numbers; the border goes on beyond it."""
    h, w = x.shape
    y, z = min(max(y, 0.0), h - 1), min(max(z, 0.0), w - 1)
    top, left = int(y), int(z)
    bottom, right = min(top + 1, h - 1), min(left + 1, w - 1)
    dy, dz = y - top, z - left
    upper = x[top, left] * (1 - dz) + x[top, right] * dz
    return upper * (1 - dy) + (x[bottom, left] * (1 - dz) + x[bottom, right] * dz) * dy


@pytest.mark.parametrize(("scale", "g"), [(2, 4), (3, 1)])
def test_dy_sample_takes_each_new_pixel_from_where_its_offset_points(scale: int, g: int) -> None:
    block, x = yp.DySample(8, scale, g).eval(), image(8, 4, 3)
    nn.init.normal_(block.offset.weight)  # offsets of up to a few pixels, also beyond the border
    out, offset = block(x), 0.25 * block.offset(x)
    for b in range(2):
        for c in range(8):
            group = c // (8 // g)
            for y in range(4 * scale):
                for z in range(3 * scale):
                    cell = (y % scale) * scale + z % scale
                    right, down = (
                        offset[b, (axis * g + group) * scale**2 + cell, y // scale, z // scale] for axis in (0, 1)
                    )
                    place = (y + 0.5) / scale - 0.5 + down.item(), (z + 0.5) / scale - 0.5 + right.item()
                    torch.testing.assert_close(out[b, c, y, z], bilinear(x[b, c], *place), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["SPDConv", "DySample", "CARAFE"])
def test_it_learns_under_autocast(name: str) -> None:
    before = yp.ConvBNAct(8, 8)
    block = yp.BLOCKS[name](8, 8) if name == "SPDConv" else yp.BLOCKS[name](8)
    with torch.autocast("cpu", torch.bfloat16):
        out = block(before(image(8)))
    out.float().square().mean().backward()
    assert before.conv.weight.grad is not None
    assert before.conv.weight.grad.isfinite().all()


def test_a_new_dy_sample_is_nearly_bilinear() -> None:
    x = image(16)
    bilinear = nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
    assert (yp.DySample(16)(x) - bilinear).abs().max() < 0.02


@pytest.mark.parametrize(("scale", "k"), [(2, 5), (3, 3)])
def test_carafe_sums_the_pixels_around_with_a_kernel_of_its_own_for_each_new_one(scale: int, k: int) -> None:
    block, x = randomise(yp.CARAFE(4, scale, k, mid=6)), image(4, 4, 3)
    out, codes = block(x), block.encode(block.compress(x))
    for b in range(2):
        for y in range(4 * scale):
            for z in range(3 * scale):
                cell = (y % scale) * scale + z % scale
                kernel = torch.softmax(codes[b, cell :: scale**2, y // scale, z // scale], 0).view(k, k)
                expected = torch.zeros(4)
                for i in range(k):
                    for j in range(k):
                        row, column = y // scale + i - k // 2, z // scale + j - k // 2
                        if 0 <= row < 4 and 0 <= column < 3:
                            expected += kernel[i, j] * x[b, :, row, column]
                torch.testing.assert_close(out[b, :, y, z], expected, atol=1e-5, rtol=1e-4)


def test_weighted_sum_is_the_fast_normalised_fusion() -> None:
    block = yp.WeightedSum([4, 4, 4], 4).eval()
    block.weight.data = torch.tensor([0.5, -3.0, 2.0])
    xs = [image(4) + i for i in range(3)]
    expected = (0.5 * xs[0] + 2.0 * xs[2]) / (2.5 + 1e-4)  # a weight below 0 counts as 0
    torch.testing.assert_close(block(xs), expected)
    torch.testing.assert_close(yp.fuse(block)(xs), expected)


def test_weighted_sum_brings_maps_to_its_channels_by_a_linear_pointwise_convolution() -> None:
    block = randomise(yp.WeightedSum([6, 4], 4))
    xs = [image(6), image(4)]
    projected = block.project[0].bn(block.project[0].conv(xs[0]))
    torch.testing.assert_close(block(xs), (projected + xs[1]) / (2 + 1e-4))


def test_weighted_sum_of_maps_of_other_sizes_says_which() -> None:
    with pytest.raises(ValueError, match=r"WeightedSum: maps of 5×7, 10×14 cannot be added"):
        yp.WeightedSum([4, 4], 4)([image(4), image(4, 10, 14)])


NECK = {"Upsample": [-1, 1, "nn.Upsample", [None, 2, "nearest"]], "Concat": [[-1, 1], 1, "Concat", [1]]}


@pytest.mark.parametrize(
    "row",
    [
        pytest.param((2, [-1, 1, "plugins.SPDConv", [64, 3, 2]]), id="SPDConv for Conv"),
        pytest.param((3, [-1, 1, "plugins.DySample", []]), id="DySample for Upsample"),
        pytest.param((3, [-1, 1, "plugins.CARAFE", [2]]), id="CARAFE for Upsample"),
        pytest.param((4, [[-1, 1], 1, "plugins.WeightedSum", [64]]), id="WeightedSum for Concat"),
    ],
)
def test_a_row_stands_where_the_stock_one_stood(row: tuple[int, list[object]], patched: None) -> None:
    from ultralytics.nn.tasks import DetectionModel

    index, ours = row
    rows = [[-1, 1, "Conv", [32, 3, 2]], [-1, 1, "Conv", [32, 3, 2]], [-1, 1, "Conv", [64, 3, 2]], *NECK.values()]
    rows += [[-1, 1, "Conv", [64, 3, 2]], [[4, 5], 1, "Detect", ["nc"]]]
    rows[index] = ours
    model = DetectionModel({"nc": 2, "backbone": rows[:3], "head": rows[3:]}, verbose=False)
    assert model.stride.tolist() == [4, 8]
    before = model.eval()(torch.zeros(1, 3, 64, 64))[0]
    torch.testing.assert_close(model.fuse()(torch.zeros(1, 3, 64, 64))[0], before, atol=1e-3, rtol=1e-3)


def test_a_weighted_sum_of_rows_of_other_sizes_names_its_row(patched: None) -> None:
    from ultralytics.nn.tasks import DetectionModel

    rows = [[-1, 1, "Conv", [32, 3, 2]], [-1, 1, "Conv", [32, 3, 2]], [[-1, 0], 1, "plugins.WeightedSum", [32]]]
    with pytest.raises(ValueError, match=r"row 2 \(plugins.WeightedSum\): WeightedSum: maps of 64×64, 128×128"):
        DetectionModel({"nc": 2, "backbone": rows, "head": [[[2], 1, "Detect", ["nc"]]]}, verbose=False)


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: yp.SPDConv(8, 16, 3, 1), r"SPDConv: stride s=1 is not one of 2"),
    (lambda: yp.DySample(6), r"DySample: c1=6 cannot be divided into 4 groups; group counts that fit: 1, 2, 3, 6"),
    (lambda: yp.CARAFE(8, k=4), r"CARAFE: kernel k=4 is even"),
    (lambda: yp.WeightedSum([8, 0], 8), r"WeightedSum: c1\[1\]=0 must be a whole number"),
    (lambda: yp.WeightedSum([], 8), r"WeightedSum: c1=\[\] must be the channels of each of its maps"),
]


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_impossible_geometry_is_refused_with_the_numbers(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
