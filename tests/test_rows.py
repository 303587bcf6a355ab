"""How YAML rows become arguments, by kind of row; and the registry that rows' names lead to."""

from collections.abc import Iterator

import pytest
import torch
import yolo_plugins as yp
from torch import nn
from yolo_plugins.rows.arguments import Scale, plan

NANO = Scale(0.25, 1024)


ROWS = {
    "input channels are given, and output channels scaled": (yp.GhostConv, 1, [128, 3, 2], (32, 1, [16, 32, 3, 2])),
    "channels are rounded up to 8": (yp.GhostConv, 1, [100], (32, 1, [16, 32])),
    "a stage takes the repeats inside": (yp.C2fGhost, 3, [128, True], (32, 1, [16, 32, 3, True])),
    "a block that keeps its channels is given them if it asks": (yp.SE, 1, [8], (16, 1, [16, 8])),
    "a block that does not ask is given none": (yp.HSwish, 2, [], (16, 2, [])),
    "inner channels are scaled too": (yp.GhostBottleneck, 1, [64, 128, 5, 2], (16, 1, [16, 16, 32, 5, 2])),
}


@pytest.mark.parametrize(("block", "repeats", "args", "planned"), ROWS.values(), ids=ROWS)
def test_a_row_becomes_arguments(block: type[nn.Module], repeats: int, args: list, planned: tuple) -> None:
    assert plan(block, 16, repeats, args, NANO) == planned


def test_channels_are_limited_before_they_are_scaled() -> None:
    assert plan(yp.GhostConv, 16, 1, [1024], Scale(1.25, 512))[0] == 640


def test_the_yamls_activation_is_passed_where_the_row_gives_none() -> None:
    assert plan(yp.DWConv, 8, 1, [16], defaults={"act": "silu"})[2] == [8, 16, 3, 1, 1, "silu"]
    assert plan(yp.DWConv, 8, 1, [16, 3, 1, 1, "relu"], defaults={"act": "silu"})[2] == [8, 16, 3, 1, 1, "relu"]
    assert plan(yp.SE, 8, 1, [], defaults={"act": "silu"})[2] == [8]


@pytest.mark.parametrize(
    ("block", "args", "message"),
    [
        (yp.GhostConv, [], r"GhostConv needs its output channels c2"),
        (yp.GhostConv, [64, 3, 1, 2, 3, "relu", 7], r"\[c2, k=1, .*, cheap_k=3, act='relu'\], got 7 arguments"),
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


class Blend(nn.Module):
    """A block of a user's that takes several inputs."""

    def __init__(self, c1: list[int], c2: int) -> None:
        super().__init__()


@pytest.fixture
def registered() -> Iterator[type[nn.Module]]:
    yield yp.register("inputs")(Blend)
    yp.unregister(Blend)


def test_a_users_block_of_several_inputs_gets_their_channels(registered: type[nn.Module]) -> None:
    assert plan(registered, [32, 32], 1, [128], NANO) == (32, 1, [[32, 32], 32])


def test_registering_twice_changes_nothing_and_unregistering_takes_it_back(registered: type[nn.Module]) -> None:
    before = dict(yp.BLOCKS)
    assert yp.register("inputs")(registered) is registered
    assert before == yp.BLOCKS
    yp.unregister(registered)
    assert "Blend" not in yp.BLOCKS


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
        ({"row": "conv", "params": "2 + c1 + c3"}, "params has 'c3'; its arguments are c1, c2"),
        ({"row": "conv", "params": "c1 +"}, "is no formula"),
        ({"row": "conv", "limits": {"onyx": "?"}}, "limits has 'onyx'; there are torchscript, onnx"),
        ({"row": "conv", "stands_for": ("up",)}, "what stands for 'up' has a 'same' row, not 'conv'"),
        ({"row": "conv", "large": {"c3k": True}}, "large has 'c3k'; there are c1, c2"),
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
    class Passing(nn.Identity):
        def __init__(self, c1: int) -> None:
            super().__init__()

    yp.register("same", gate=True)(Passing)
    try:
        assert yp.C2f(16, 16, 1, True, "ConvBNAct", "Passing")(torch.ones(1, 16, 4, 4)).shape == (1, 16, 4, 4)
    finally:
        yp.unregister(Passing)
