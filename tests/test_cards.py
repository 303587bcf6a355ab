"""What blocks say of themselves: formulas are right, cards have every fact, what is measured is comparable."""

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yolo_plugins as yp
from cases import CASES, Case
from yolo_plugins import cli
from yolo_plugins.blocks.counting import parameters
from yolo_plugins.blocks.formula import evaluate, shown
from yolo_plugins.blocks.registry import PACKAGE, spec_of
from yolo_plugins.inspection import latency
from yolo_plugins.inspection.block_costs import call
from yolo_plugins.inspection.cards import card
from yolo_plugins.inspection.counterparts import example, maps, pair
from yolo_plugins.inspection.listing import Entry, blocks

pytest.importorskip("ultralytics")
import yolo_plugins.heads
import yolo_plugins.networks

OWN = [name for name, cls in yp.BLOCKS.items() if cls.__module__ == PACKAGE]
COUNTED = [name for name in OWN if spec_of(yp.BLOCKS[name]).row != "network"]
"""All but stages of networks, whose channels a table says."""


def arguments(build: Any, *args: Any, **options: Any) -> dict[str, Any]:
    bound = inspect.signature(build).bind(*args, **options)
    bound.apply_defaults()
    return dict(bound.arguments)


def is_plain(case: Case) -> bool:
    given = arguments(case.build, *case.args, **case.options)
    return given.get("inner", "ConvBNAct") == "ConvBNAct" and not given.get("gate")


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.build.__name__ in COUNTED and is_plain(case)], ids=lambda case: case.id
)
def test_a_blocks_formula_gives_its_count_for_any_arguments(case: Case) -> None:
    formula = spec_of(case.build).params
    assert formula, f"{case.build.__name__} lacks params= in its registration"
    assert evaluate(formula, arguments(case.build, *case.args, **case.options)) == parameters(case())


@pytest.mark.parametrize("reg_max", [1, 16])
@pytest.mark.parametrize("c1", [[16, 32, 64], [128, 160]])
@pytest.mark.parametrize("name", ["LiteDetect", "LiteSegment"])
def test_a_heads_formula_gives_its_count(name: str, c1: list[int], reg_max: int) -> None:
    head = yp.BLOCKS[name]
    given = arguments(head, c1, 7, reg_max=reg_max)
    assert evaluate(spec_of(head).params, given) == parameters(head(**given))


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("m = ceil(c2/ratio); k**2*c1*m//g + 2*m", "⌊k²·c1·m/g⌋ + 2·m, m = ⌈c2/ratio⌉"),
        ("a - (b - c) + 2*(a + b)", "a − (b − c) + 2·(a + b)"),
        ("(c1*m if m != c1 else 0) + (g if first else 1)", "(c1·m if m ≠ c1) + (g if first, else 1)"),
        ("len(c1) + sum(c*c2 + 2 for c in c1 if c != c2)", "len(c1) + Σ(c·c2 + 2 for c in c1 if c ≠ c2)"),
        ("k or max(3, t + 1 - t % 2)", "k or max(3, t + 1 − t mod 2)"),
        ("c1[0]*npr + a/(b*c)", "c1[0]·npr + a/(b·c)"),
    ],
)
def test_a_formula_is_shown_as_people_write_it(formula: str, text: str) -> None:
    assert shown(formula) == text


def entries() -> dict[str, Entry]:
    return {entry.name: entry for entry in blocks()}


@pytest.mark.parametrize("name", OWN)
def test_a_card_says_what_a_block_costs_where_it_runs_and_what_it_is_not_good_at(name: str) -> None:
    facts = card(entries()[name]).facts
    assert {"row", "parameters", "multiply-adds", "exports", "not good at"} <= set(facts)
    assert f"{parameters(yp.BLOCKS[name](**example(name))):,} of {name}" in facts["parameters"]


def test_cards_are_shown_by_name_in_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "--long", "CBAM", "plugins.GhostConv"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("GhostConv: Ghost module")
    for part in (
        "\n\nCBAM: ",
        "612 of CBAM(64): 2·c1·h + 2·k² + 2, h = max(1, ⌊c1/r⌋)",
        "Ultralytics' class of this name",
    ):
        assert part in out
    assert "EMA" not in out
    assert max(map(len, out.splitlines())) <= 110


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["list", "--long", "CBMA"], "no block is called 'CBMA'; did you mean CBAM"),
        (["list", "CBAM"], "list --long CBAM"),
    ],
)
def test_a_misspelt_card_is_one_sentence(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 1
    assert message in capsys.readouterr().err


def test_what_is_not_exported_is_said_with_the_reason() -> None:
    entry = entries()["CBAM"]
    limited = replace(entry, spec=replace(entry.spec, limits={"dnn": "no such layer"}))
    assert card(limited).facts["exports"].endswith("NCNN, MNN; not to OpenCV's dnn: no such layer")


PAIRS = {
    "GhostConv": ("ConvBNAct", "a plain 3×3 convolution"),
    "GhostBottleneck": ("Bottleneck", "two plain 5×5 convolutions"),
    "C2fDW": ("C2f", "a plain C2f"),
    "ECA": ("C2f", "C2f(256, 256) without it"),
    "HSwish": ("SiLU", "SiLU"),
    "LiteDetect": ("Detect", "Ultralytics' detect head"),
    "LiteSegment": ("Segment", "Ultralytics' segment head"),
}


@pytest.mark.parametrize(("name", "other"), PAIRS.items(), ids=PAIRS)
def test_a_block_stands_beside_what_it_replaces_with_the_same_outputs_shape(name: str, other: tuple[str, str]) -> None:
    beside = pair(name, example(name))
    assert beside is not None
    assert (type(beside.other).__name__, beside.words) == other
    if name not in ("LiteDetect", "LiteSegment"):
        x = maps(name, beside.channels, 8)
        assert beside.ours.eval()(x).shape == beside.other.eval()(x).shape


@pytest.mark.parametrize("name", ["ConvBNAct", "C2f", "GhostNetStage"])
def test_what_others_are_measured_against_stands_beside_nothing(name: str) -> None:
    assert pair(name, example(name)) is None


def times(name: str, stride: str) -> dict[str, Any]:
    factor = latency.STRIDES[int(stride)]
    ran = {"ms": 2.0, "beside_ms": 3.0, "ratio": 1.5, "low": 1.4, "high": 1.6}
    return {
        "call": call(name, example(name, factor)),
        "onnx": ran,
        "openvino": {**ran, "ratio": 0.8},
        "ncnn": {"error": "no layer"},
    }


def test_measured_times_are_in_the_card_and_those_of_other_arguments_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "times.json"
    strides = {"8": times("GhostConv", "8"), "16": {**times("GhostConv", "16"), "call": "GhostConv(9, 9)"}}
    results = {
        "machine": {"threads": "2"},
        "blocks": {"GhostConv": {"beside": "a plain 3×3 convolution", "strides": strides}},
    }
    file.write_text(latency.written(results), encoding="utf-8")
    monkeypatch.setattr(latency, "FILE", file)
    shown = card(entries()["GhostConv"])
    assert shown.facts["times as fast"].startswith("as a plain 3×3 convolution")
    assert shown.times == [
        ["", "stride 8"],
        ["ONNX Runtime", "1.50× (1.40–1.60)"],
        ["OpenVINO", "0.80× (1.40–1.60)"],
        ["NCNN", "not run: no layer"],
    ]
    assert not card(entries()["DWConv"]).times
