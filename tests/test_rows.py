"""How YAML rows become arguments, by kind of row; and the registry that rows' names lead to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import yolo_plugins as yp
from torch import nn
from yolo_plugins.rows.arguments import Scale, plan

NANO = Scale(0.25, 1024)


def test_a_conv_row_gets_its_input_channels_and_scaled_output_channels() -> None:
    assert plan(yp.GhostConv, 16, 1, [128, 3, 2], NANO) == (32, 1, [16, 32, 3, 2])


def test_channels_are_limited_before_they_are_scaled_and_rounded_up_to_8() -> None:
    assert plan(yp.GhostConv, 16, 1, [1024], Scale(1.25, 512))[0] == 640
    assert plan(yp.GhostConv, 16, 1, [100], NANO)[0] == 32


def test_a_stage_row_takes_the_repeats_inside() -> None:
    assert plan(yp.C2fGhost, 16, 3, [128, True], NANO) == (32, 1, [16, 32, 3, True])


def test_a_row_that_keeps_channels_is_given_them_if_the_block_asks() -> None:
    assert plan(yp.SE, 64, 1, [8], NANO) == (64, 1, [64, 8])
    assert plan(yp.HSwish, 64, 2, [], NANO) == (64, 2, [])


def test_inner_channel_counts_are_scaled_too() -> None:
    assert plan(yp.GhostBottleneck, 16, 1, [64, 128, 5, 2], NANO)[2] == [16, 16, 32, 5, 2]


def test_the_yamls_activation_is_passed_where_the_row_gives_none() -> None:
    assert plan(yp.DWConv, 8, 1, [16], defaults={"act": "silu"})[2] == [8, 16, 3, 1, 1, "silu"]
    assert plan(yp.DWConv, 8, 1, [16, 3, 1, 1, "relu"], defaults={"act": "silu"})[2] == [8, 16, 3, 1, 1, "relu"]
    assert plan(yp.SE, 8, 1, [], defaults={"act": "silu"})[2] == [8]


@pytest.mark.parametrize(
    ("block", "args", "message"),
    [
        (yp.GhostConv, [], r"GhostConv needs its output channels c2"),
        (
            yp.GhostConv,
            [64, 3, 1, 2, 3, "relu", 7],
            r"\[c2, k=1, s=1, ratio=2, cheap_k=3, act='relu'\], got 7 arguments",
        ),
        (yp.GhostConv, [64, "3"], r"got k='3' of type str"),
        (yp.GhostConv, [64, 3.0], r"got k=3.0 of type float"),
        (yp.GhostConv, ["wide"], r"got c2='wide' of type str"),
        (yp.GhostBottleneck, [64], r"takes \[c2, mid, .*\], got 1 without mid"),
        (yp.C2fDW, [64, 1], r"got shortcut=1 of type int"),
        (yp.SE, [16, 4], r"takes \[r=16\], got 2 arguments"),
    ],
)
def test_misfit_arguments_are_named_with_the_signature(block: type[nn.Module], args: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(block, 32, 1, args)


def test_two_inputs_to_a_block_of_one_are_refused() -> None:
    with pytest.raises(ValueError, match="takes one input, but `from` names 2 rows; Concat"):
        plan(yp.GhostConv, [32, 64], 1, [64])


class WeightedSum(nn.Module):
    """A block of a user's: adds its inputs with learnt weights."""

    def __init__(self, c1: list[int], c2: int) -> None:
        super().__init__()
        if set(c1) != {c2}:
            raise ValueError(f"WeightedSum: inputs of {c1} channels cannot be added to c2={c2}")
        self.weights = nn.Parameter(torch.ones(len(c1)))

    def forward(self, xs: list[torch.Tensor]) -> torch.Tensor:
        return sum(w * x for w, x in zip(self.weights, xs, strict=True))


@pytest.fixture
def registered() -> Iterator[type[nn.Module]]:
    yield yp.register("inputs")(WeightedSum)
    yp.unregister(WeightedSum)


def test_a_users_block_of_several_inputs_gets_their_channels(registered: type[nn.Module]) -> None:
    assert plan(registered, [32, 32], 1, [128], NANO) == (32, 1, [[32, 32], 32])


def test_registering_twice_changes_nothing_and_unregistering_takes_it_back(registered: type[nn.Module]) -> None:
    before = dict(yp.BLOCKS)
    assert yp.register("inputs")(registered) is registered
    assert before == yp.BLOCKS
    yp.unregister(registered)
    assert "WeightedSum" not in yp.BLOCKS


def test_a_name_that_is_taken_is_refused_with_both_owners() -> None:
    other = type("SE", (nn.Module,), {"__module__": "mine"})
    with pytest.raises(ValueError, match=r"plugins.SE is yolo_plugins.SE already; give mine.SE another name"):
        yp.register("same")(other)
    assert yp.BLOCKS["SE"] is yp.SE


@pytest.mark.parametrize("thing", [len, "SE", int], ids=["function", "name", "no module"])
def test_only_module_classes_are_registered(thing: object) -> None:
    with pytest.raises(TypeError, match=r"derived from torch.nn.Module"):
        yp.register("same")(thing)


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ({"row": "conf"}, "row='conf' must say how its YAML row reads: one of conv, stage, same, inputs, network"),
        ({"row": "conv", "chanels": ("c2",)}, "unexpected keyword argument 'chanels'"),
        ({"row": "conv", "channels": ("c2", "middle")}, "channels has 'middle'; there are c1, c2, mid"),
        ({"row": "conv", "stands_for": ("convolution",)}, "stands_for has 'convolution'; there are conv, bottleneck"),
        ({"row": "conv", "gate": True}, "a gate keeps its channels, so its row is 'same', not 'conv'"),
        ({"row": "conv", "task": "detection"}, "task has 'detection'; there are detect, segment"),
        ({"row": "conv", "example": {"c3": 1}}, "example has 'c3'"),
        ({"row": "stage"}, "a 'stage' row's block begins with c1, c2, n"),
        ({"row": "network"}, "needs a class method out_channels"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_misspelt_specification_is_refused_at_import(specification: dict[str, object], message: str) -> None:
    class Mine(nn.Module):
        def __init__(self, c1: int, c2: int, mid: int = 8) -> None:
            super().__init__()

    with pytest.raises(TypeError, match=message):
        yp.register(**specification)(Mine)
    assert "Mine" not in yp.BLOCKS


def test_a_users_block_may_be_inner_block_and_gate_of_a_stage() -> None:
    class Twice(nn.Module):
        def __init__(self, c1: int) -> None:
            super().__init__()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x

    yp.register("same", gate=True)(Twice)
    try:
        assert yp.C2f(16, 16, 1, True, "ConvBNAct", "Twice")(torch.ones(1, 16, 4, 4)).shape == (1, 16, 4, 4)
    finally:
        yp.unregister(Twice)
