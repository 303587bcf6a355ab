"""Costs against formulas and against the field's own counters, for every block."""

from __future__ import annotations

import csv
import inspect
import io
import json

import pytest
import torch
import yolo_plugins as yp
from cases import CASES, Case
from torch import Tensor, nn
from yolo_plugins import cli
from yolo_plugins.cli.block_arguments import OPTIONS
from yolo_plugins.inspection.block_costs import compare, measurable
from yolo_plugins.inspection.counters import count
from yolo_plugins.inspection.drawing import page

SIDE = 16
every_block = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def elements(module: nn.Module, x: Tensor, kind: type[nn.Module], of_input: bool = False) -> int:
    """Elements that the layers of a kind give, or take, counted as they run."""
    total = 0

    def add(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal total
        total += (inputs[0] if of_input else output).numel()

    hooks = [m.register_forward_hook(add) for m in module.modules() if type(m) is kind]
    module.eval()(x)
    for hook in hooks:
        hook.remove()
    return total


@every_block
def test_thop_counts_our_multiply_adds_and_charges_for_batch_norms_and_pools(case: Case) -> None:
    module, shape = case(), (case.c1, SIDE, SIDE)
    x = torch.zeros(1, *shape)
    norms = 4 * elements(module, x, nn.BatchNorm2d)
    squeezes = elements(module, x, nn.AdaptiveAvgPool2d) + elements(module, x, nn.AdaptiveAvgPool2d, of_input=True)
    windows = (9 + 1) * elements(module, x, nn.AvgPool2d)  # additions and a division
    assert count(module, shape)["thop"] == yp.cost(module, shape, runs=0).macs + norms + squeezes + windows


@every_block
def test_fvcore_counts_our_multiply_adds_and_activations(case: Case) -> None:
    fvcore = pytest.importorskip("fvcore.nn")
    module, x = case().eval(), torch.zeros(1, case.c1, SIDE, SIDE)
    ours = yp.cost(module, x.shape, runs=0)
    operators = fvcore.FlopCountAnalysis(module, x).unsupported_ops_warnings(False).by_operator()
    assert (operators["conv"] + operators["linear"]) == ours.macs
    assert fvcore.ActivationCountAnalysis(module, x).unsupported_ops_warnings(False).total() == ours.activations


@every_block
def test_ptflops_counts_our_multiply_adds_and_charges_for_more(case: Case) -> None:
    pytest.importorskip("ptflops")
    module, shape = case(), (case.c1, SIDE, SIDE)
    x = torch.zeros(1, *shape)
    biases = sum(elements(m, torch.zeros(1, m.in_channels, 1, 1), nn.Conv2d) for m in module.modules() if has_bias(m))
    norms = 2 * elements(module, x, nn.BatchNorm2d)
    pools = 2 * sum(elements(module, x, kind, of_input=True) for kind in (nn.AdaptiveAvgPool2d, nn.AvgPool2d))
    # The layer and the function that it calls are both charged for, but of SiLU the function only.
    activations = 2 * elements(module, x, nn.ReLU) + elements(module, x, nn.SiLU)
    expected = yp.cost(module, shape, runs=0).macs + biases + norms + pools + activations
    assert count(module, shape)["ptflops"] == expected


def has_bias(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.bias is not None


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
    ("module", "shape", "runs", "message"),
    [
        (nn.Conv2d(3, 8, 3), (8, 8), 1, r"shape=\(8, 8\) must be"),
        (nn.Conv2d(3, 8, 3), (3, 0, 8), 1, "at least 1"),
        (nn.Conv2d(3, 8, 3), (3, 8, 8), -1, "runs=-1"),
        (nn.Conv2d(3, 8, 3), (4, 8, 8), 1, r"Conv2d does not take .*\(1, 4, 8, 8\)"),
    ],
)
def test_cost_refuses_what_cannot_be_run(module: nn.Module, shape: tuple[int, ...], runs: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        yp.cost(module, shape, runs)


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_the_reference_table_has_the_known_figures(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(run("cost", "--reference", "--format", "json", capsys=capsys))
    figures = {(row["module"], row["input"]): row for row in rows}
    ghost = figures["GhostConv 64→128, k 3", "64×32×32"]
    assert (ghost["params"], ghost["MACs"], ghost["thop"]) == (37_696, 38_338_560, 38_862_848)
    plain = figures["convolution 64→128, k 3, bias", "64×32×32"]
    assert (plain["params"], plain["MACs"]) == (73_856, 75_497_472)
    assert [row["params"] for row in rows if "4→8" in row["module"]] == [288, 296, 36, 32]
    for name, params, giga_ptflops, giga_fvcore in (
        ("DWConv 64→128, k 3, d 2, no act", 9_152, 3.75, 0.600),
        ("conv+BN 64→128, k 3, d 2, no act", 73_984, 30.3, 4.849),
    ):
        assert {figures[name, f"64×{side}×{side}"]["params"] for side in (256, 640)} == {params}
        for tool, side, giga in (("ptflops", 640, giga_ptflops), ("fvcore", 256, giga_fvcore)):
            counted = figures[name, f"64×{side}×{side}"][tool]
            digits = len(str(giga).split(".")[1])
            assert counted is None or round(counted / 1e9, digits) == giga


@pytest.mark.parametrize(
    ("arguments", "theory"),
    [
        (["GhostConv", "64", "128", "--k", "3"], 2 * 576 / (576 + 9)),
        (["GhostConv", "64", "128", "--k", "3", "--ratio", "4", "--d", "5"], 4 * 576 / (576 + 3 * 25)),
        (["DWConv", "64", "128"], 1 / (1 / 128 + 1 / 9)),
        (["GroupConv", "64", "128", "--g", "4"], 4),
        (["ShuffleUnit", "240"], 9 * 240**2 / (2 * 240 * 60 / 3 + 9 * 60)),
        (["InvertedResidual", "32", "--expand", "6"], 9 * 32**2 / (32 * 6 * (32 + 9 + 32))),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_papers_formula_is_what_is_measured(
    arguments: list[str], theory: float, capsys: pytest.CaptureFixture[str]
) -> None:
    block, plain = json.loads(run("cost", *arguments, "--runs", "1", "--format", "json", capsys=capsys))
    assert block["theory ×"] == block["MACs ×"] == round(theory, 2)
    assert block["params ×"] == round(plain["params"] / block["params"], 2)


def test_every_format_holds_the_same_table(capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["cost", "GhostConv", "8", "16", "--k", "3", "--runs", "0", "--format"]
    rows = json.loads(run(*ask, "json", capsys=capsys))
    lines = list(csv.DictReader(io.StringIO(run(*ask, "csv", capsys=capsys))))
    assert [int(line["MACs"]) for line in lines] == [row["MACs"] for row in rows]
    markdown = run(*ask, "markdown", capsys=capsys).splitlines()
    assert [cell.strip() for cell in markdown[0].strip("|").split("|")] == list(rows[0])
    assert f"{rows[0]['written']:,}" in markdown[2]
    assert "GhostConv(8, 16, k=3)" in run(*ask, "text", capsys=capsys)


def test_all_blocks_are_measured_or_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    text = run("cost", "all", "64", "--size", "8", "--runs", "0", capsys=capsys)
    assert all(name in text for name in measurable())
    assert "ShuffleUnit: c1=64" in text


def test_every_argument_of_every_block_can_be_given() -> None:
    parameters = {name for block in measurable() for name in inspect.signature(yp.BLOCKS[block]).parameters}
    assert parameters - {"c1", "c2", "inplace"} == set(OPTIONS)  # inplace is torch's own, of Hardswish


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["GhosConv", "8"], "no block GhosConv; did you mean GhostConv"),
        (["GhostConv"], "give a block and its channels"),
        (["GhostConv", "8", "--g", "2"], "GhostConv has no argument g; it has --k"),
        (["GhostBottleneck", "8"], "GhostBottleneck needs --mid"),
        (["GhostConv", "8", "--k", "four"], "k='four' must be a whole number"),
        (["GhostConv", "8", "--size", "0"], "--size 0 must be at least 1"),
        (["ShuffleUnit", "64"], "cannot be divided into 3 groups"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("command", ["cost", "draw"])
def test_mistakes_are_one_line(
    command: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, *arguments]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_stage_is_compared_with_the_plain_c2f() -> None:
    ours, plain = compare("C2fSE", 32, 32, 8, runs=0, n=2)
    assert ours["params"] - plain["params"] == 2 * (
        2 * 16 * 1
    )  # SE of 16 channels, reduced to one, in both bottlenecks


def test_the_page_of_drawings_is_current() -> None:
    from pathlib import Path

    assert (Path(__file__).parents[1] / "docs" / "blocks.md").read_text(encoding="utf-8") == page(), (
        "run: yolo-plugins draw all > docs/blocks.md"
    )


def test_a_drawing_shows_what_flows_where(capsys: pytest.CaptureFixture[str]) -> None:
    drawing = run("draw", "ShuffleUnit", "24", "48", "--s", "2", "--g", "2", capsys=capsys)
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
