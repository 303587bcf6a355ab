"""Costs against formulas and against the field's own counters, for every block; and what `cost` and `draw` show."""

import csv
import io
import json
from collections import Counter

import pytest
import torch
import yolo_plugins as yp
from cases import CASES, Case
from counters import count
from torch import Tensor, nn
from yolo_plugins import cli
from yolo_plugins.inspection.block_costs import compare, measurable

every_block = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def elements(module: nn.Module, x: Tensor) -> tuple[Counter[object], Counter[object]]:
    """Elements that layers give and take, by kind of layer, counted as they run; "bias" is given by those with one."""
    given, taken = Counter[object](), Counter[object]()

    def add(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        given[type(layer)] += output.numel()
        taken[type(layer)] += inputs[0].numel() if isinstance(inputs[0], Tensor) else 0
        given["bias"] += output.numel() * (isinstance(layer, nn.Conv2d) and layer.bias is not None)

    for layer in module.modules():
        layer.register_forward_hook(add)
    module(x)
    return given, taken


CHARGED_OTHERWISE = (yp.CBAM, yp.ELA, yp.EMA, yp.GhostConvV2, yp.SHSA)
"""What has max pools, group norms, products or interpolation in it, for which every counter charges in its own way."""
of_plain_layers = pytest.mark.parametrize(
    "case",
    [case for case in CASES if not any(isinstance(m, CHARGED_OTHERWISE) for m in case().modules())],
    ids=lambda case: case.id,
)


@every_block
def test_fvcore_counts_our_multiply_adds(case: Case) -> None:
    fvcore = pytest.importorskip("fvcore.nn")
    module, x = case().eval(), torch.zeros(1, case.channels, 16, 16)
    counted = fvcore.FlopCountAnalysis(module, x).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    products = ("conv", "linear", "addmm", "matmul", "bmm", "einsum")
    assert sum(counted.by_operator()[name] for name in products) == yp.cost(module, x.shape, runs=0).macs


@of_plain_layers
def test_the_fields_counters_count_our_multiply_adds_and_charge_for_more(case: Case) -> None:
    x = torch.zeros(1, case.channels, 16, 16)
    macs, counted = yp.cost(case(), x.shape, runs=0).macs, count(case(), x.shape[1:])
    given, taken = elements(case().eval(), x)
    norms, pools = given[nn.BatchNorm2d], taken[nn.AdaptiveAvgPool2d]
    windows = (9 + 1) * given[nn.AvgPool2d]  # additions and a division
    assert counted["thop"] == macs + 4 * norms + pools + given[nn.AdaptiveAvgPool2d] + windows
    sampled = 4 * given[yp.DySample]  # pixels that a new one is interpolated from
    assert counted["fvcore"] in (macs + 2 * norms + pools + sampled, None)
    # The layer and the function that it calls are both charged for, but of SiLU the function only.
    activations = 2 * given[nn.ReLU] + given[nn.ReLU6] + given[nn.SiLU] + 2 * given[nn.GELU]
    more = given["bias"] + 2 * norms + 2 * (pools + taken[nn.AvgPool2d]) + activations
    if case.build is not yp.DySample:  # of grid_sample it charges for some of what that is made of
        assert counted["ptflops"] in (macs + more, None)


@every_block
def test_fvcore_counts_our_activations(case: Case) -> None:
    fvcore = pytest.importorskip("fvcore.nn")
    module, x = case().eval(), torch.zeros(1, case.channels, 16, 16)
    theirs = fvcore.ActivationCountAnalysis(module, x).unsupported_ops_warnings(False).total()
    assert theirs == yp.cost(module, x.shape, runs=0).activations


def test_memory_and_writes_follow_the_formula() -> None:
    x, y = 4 * 10 * 10, 8 * 10 * 10
    bare = yp.cost(nn.Conv2d(4, 8, 3, padding=1), (4, 10, 10), runs=0)
    assert (bare.written, bare.peak_bytes) == (y, 4 * (x + y))
    block = yp.cost(yp.ConvBNAct(4, 8, 3), (4, 10, 10), runs=0)
    # x is the caller's and stays; convolution, batch norm and ReLU write a map each, two of them alive at once.
    assert (block.written, block.peak_bytes, block.activations) == (3 * y, 4 * (x + 2 * y), y)
    batch = yp.cost(yp.ConvBNAct(4, 8, 3), (5, 4, 10, 10), runs=0)
    assert (batch.macs, batch.peak_bytes) == (5 * block.macs, 5 * block.peak_bytes)


def test_views_are_not_written_but_copies_are() -> None:
    class Reshape(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.transpose(1, 2).flatten(2)

    assert yp.cost(nn.Flatten(), (4, 10, 10), runs=0).written == 0
    assert yp.cost(Reshape(), (4, 10, 10), runs=0).written == 400


def test_a_module_is_left_as_it_was_and_timed_only_if_asked() -> None:
    module = yp.GhostConv(8, 16).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    assert yp.cost(module, (8, 16, 16), runs=3).milliseconds > 0
    assert yp.cost(module, (8, 16, 16), runs=0).milliseconds is None
    assert module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize(
    ("shape", "runs", "message"),
    [
        ((8, 8), 1, r"shape=\(8, 8\) must be"),
        ((3, 0, 8), 1, "at least 1"),
        ((3, 8, 8), -1, "runs=-1"),
        ((4, 8, 8), 1, r"Conv2d does not take .*\(1, 4, 8, 8\)"),
    ],
)
def test_cost_refuses_what_cannot_be_run(shape: tuple[int, ...], runs: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        yp.cost(nn.Conv2d(3, 8, 3), shape, runs)


def run(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(command.split()) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("block", "theory"),
    [
        ("GhostConv 64 128 --k 3", 2 * 576 / (576 + 9)),
        ("GhostConv 64 128 --k 3 --ratio 4 --cheap-k 5", 4 * 576 / (576 + 3 * 25)),
        ("DWConv 64 128", 1 / (1 / 128 + 1 / 9)),
        ("GroupConv 64 128 --g 4", 4),
        ("ShuffleUnit 240", 9 * 240**2 / (2 * 240 * 60 / 3 + 9 * 60)),
        ("InvertedResidual 32 --expand 6", 9 * 32**2 / (32 * 6 * (32 + 9 + 32))),
    ],
)
def test_the_papers_formula_is_what_is_measured(block: str, theory: float, capsys: pytest.CaptureFixture[str]) -> None:
    ours, plain = json.loads(run(f"cost {block} --runs 1 --format json", capsys))
    assert ours["theory ×"] == ours["MACs ×"] == round(theory, 2)
    assert ours["params ×"] == round(plain["params"] / ours["params"], 2)


@pytest.mark.parametrize("options", ["--s 2 --act silu", "--s=2 --act=silu"])
def test_any_argument_of_a_block_is_an_option_and_never_a_short_form_of_another(
    options: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "DWConv(8, 16, s=2, act=silu)" in run(f"cost DWConv 8 16 {options} --runs 0", capsys)
    assert "/2, BN, SiLU" in run(f"draw DWConv 8 16 {options}", capsys)
    assert "SE(64, r=8)" in run("cost SE 64 --r 8 --runs 0", capsys)


def test_every_format_holds_the_same_table(capsys: pytest.CaptureFixture[str]) -> None:
    ask = "cost GhostConv 8 16 --k 3 --runs 0 --format"
    rows = json.loads(run(f"{ask} json", capsys))
    lines = list(csv.DictReader(io.StringIO(run(f"{ask} csv", capsys))))
    assert [int(line["MACs"]) for line in lines] == [row["MACs"] for row in rows]
    markdown = run(f"{ask} markdown", capsys).splitlines()
    assert [cell.strip() for cell in markdown[0].strip("|").split("|")] == list(rows[0])
    assert f"{rows[0]['written']:,}" in markdown[2]
    assert "GhostConv(8, 16, k=3)" in run(f"{ask} text", capsys)


def test_all_blocks_are_measured_or_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    text = run("cost all 64 --size 8 --runs 0", capsys)
    assert all(name in text for name in measurable())
    assert "ShuffleUnit: c1=64" in text


def test_a_stage_is_compared_with_the_plain_c2f() -> None:
    ours, plain = compare("C2fSE", 8, runs=0, c1=32, c2=32, n=2)
    gates = 2 * (2 * 16 * 1)  # in both bottlenecks, of 16 channels, reduced to one
    assert ours["params"] - plain["params"] == gates


def test_a_drawing_shows_what_flows_where(capsys: pytest.CaptureFixture[str]) -> None:
    drawing = run("draw ShuffleUnit 24 48 --s 2 --g 2", capsys)
    for part in (
        'n1["2 groups 1×1, BN, ReLU"]',
        "n0 -->|24×32×32| n1",
        "n2{{shuffle}}",
        'n3["depthwise 3×3 /2, BN"]',
        'n5["AvgPool2d 3×3"]',
        "n0 -->|24×32×32| n5",
        "n7 -->|48×16×16| n8",
    ):
        assert part in drawing
