"""What the patch does to Ultralytics inside one process: everything it promises, nothing more, and its undoing."""

import ast
import linecache
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml
import yolo_plugins as yp
from torch import nn
from yolo_plugins.rows.description import ModelYAMLError

import patch_ultralytics

tasks = pytest.importorskip("ultralytics.nn.tasks")

MODEL = {
    "nc": 3,
    "backbone": [[-1, 1, "Conv", [16, 3, 2]], [-1, 1, "plugins.GhostConv", [32, 3, 2]], [-1, 2, "C2f", [32, True]]],
    "head": [[[1, 2], 1, "Concat", [1]], [-1, 1, "plugins.C2fGhost", [32]], [[2, 3, 4], 1, "Detect", ["nc"]]],
}


def model(**changes: object) -> dict:
    return {**yaml.safe_load(yaml.safe_dump(MODEL)), "yaml_file": "mine.yaml", **changes}


def rows(index: int, row: list) -> dict:
    """`MODEL` with one row replaced."""
    changed = model()
    part, i = ("backbone", index) if index < 3 else ("head", index - 3)
    changed[part][i] = row
    return changed


def state() -> dict[str, object]:
    """Everything that the patch may touch."""
    return {
        "globals": dict(vars(tasks)),
        "code": tasks.parse_model.__code__,
        "fuse": tasks.BaseModel.fuse,
        "is_fused": tasks.BaseModel.is_fused,
        "init": tasks.DetectionModel.__init__,
        "load": tasks.BaseModel.load,
        "guess": tasks.guess_model_task.__code__,
        "safe": set(getattr(torch.serialization, "get_safe_globals", list)()),
    }


def test_revert_brings_everything_back_for_functions_imported_before_as_well() -> None:
    from ultralytics.nn import parse_model

    before = state()
    for _ in range(2):  # doing it twice is harmless
        patch_ultralytics.apply()
    assert patch_ultralytics.active()
    assert state() != before
    layers, _ = parse_model(model(), ch=3, verbose=False)
    assert isinstance(layers[1], yp.GhostConv)
    for _ in range(2):
        patch_ultralytics.revert()
    assert not patch_ultralytics.active()
    assert state() == before
    with pytest.raises(KeyError, match=r"plugins.GhostConv"):
        parse_model(model(), ch=3, verbose=False)


@pytest.mark.parametrize("times", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_applied_and_reverted_many_times_ultralytics_is_as_it_was(times: int) -> None:
    before, finders, blocks = state(), list(sys.meta_path), dict(yp.BLOCKS)
    for _ in range(times):
        patch_ultralytics.apply()
        patch_ultralytics.revert()
    assert state() == before
    assert sys.meta_path == finders
    assert blocks.items() <= yp.BLOCKS.items()


def test_names_of_upstream_are_never_rebound(patched: None) -> None:
    from ultralytics.nn import modules

    for name in ("GhostConv", "GhostBottleneck", "DWConv"):
        assert getattr(tasks, name) is getattr(modules, name)
        assert getattr(tasks, name) is not yp.BLOCKS[name]


def test_the_summary_shows_our_rows_as_it_shows_stock_ones(patched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(tasks.LOGGER, "info", lines.append)
    network, _ = tasks.parse_model(model(), ch=3, verbose=True)
    line = next(line for line in lines if "yolo_plugins.GhostConv" in line)
    assert re.search(r"\b1\s+-1\s+1\s+2512\s+yolo_plugins.GhostConv\s+\[16, 32, 3, 2\]", line)
    assert network[1].np == 2512
    assert sum(p.numel() for p in network[1].parameters()) == 2512


def test_tracebacks_show_upstreams_own_lines(patched: None) -> None:
    source = linecache.getlines(tasks.__file__)
    function = next(n for n in ast.parse("".join(source)).body if getattr(n, "name", "") == "parse_model")
    code = tasks.parse_model.__code__
    assert code.co_filename == tasks.__file__
    assert {line for _, _, line in code.co_lines() if line} <= set(range(function.lineno, function.end_lineno + 1))


def test_a_block_is_a_name_for_rows_from_its_registration_until_it_is_taken_back(patched: None) -> None:
    @yp.register("same")
    class Passing(nn.Identity):
        def __init__(self) -> None:
            super().__init__()

    described = rows(1, [-1, 1, "plugins.Passing", []])
    layers, _ = tasks.parse_model(described, ch=3, verbose=False)
    assert isinstance(layers[1], Passing)
    yp.unregister(Passing)
    with pytest.raises(ModelYAMLError, match=r"row 1 \(plugins.Passing\): no module of this name"):
        tasks.parse_model(described, ch=3, verbose=False)


BROKEN = {
    "forgotten prefix's letter": (rows(1, [-1, 1, "plugin.SE", []]), r"row 1 \(plugin.SE\): no module.*plugins.SE"),
    "unknown stock module": (rows(0, [-1, 1, "Convv", [16]]), r"row 0 \(Convv\).*Conv"),
    "unknown torch layer": (rows(2, [-1, 1, "nn.Upsampel", []]), r"row 2 \(nn.Upsampel\): no module"),
    "unknown part": (
        rows(1, [-1, 2, "plugins.C3k2", [64, True, "Gost"]]),
        r"row 1 \(plugins.C3k2\): no block is called",
    ),
    "too many arguments": (rows(1, [-1, 1, "plugins.SE", [4, 4]]), r"row 1 \(plugins.SE\): SE takes \[r=16\], got 2"),
    "impossible geometry": (rows(1, [-1, 1, "plugins.ShuffleUnit", [40, 2, 4]]), "ShuffleUnit: c2/4=10 cannot be"),
    "stock row of a plug-in model": (rows(0, [-1, 1, "Conv", [16, 3, 2, 9, 9, 9, 9, 9]]), r"row 0 \(Conv\): "),
    "from beyond": (rows(3, [[-1, 9], 1, "Concat", [1]]), r"row 3 \(Concat\): `from` .* row 9, .*rows 0 to 2 exist"),
    "from before": (rows(1, [-5, 1, "plugins.SE", []]), r"row 1 \(plugins.SE\): `from` points at row -5"),
    "from a name": (rows(1, ["up", 1, "plugins.SE", []]), r"`from` 'up' must be a row number"),
    "rows that do not meet": (rows(3, [[0, 2], 1, "Concat", [1]]), r"row 3 \(Concat\): Sizes of tensors must match"),
    "repeats": (rows(1, [-1, 0, "plugins.SE", []]), r"repeats 0 must be a whole number from 1"),
    "arguments": (rows(1, [-1, 1, "plugins.SE", 4]), r"arguments 4 must be a list"),
    "short row": (rows(1, [-1, "plugins.SE"]), r"row 1: \[-1, 'plugins.SE'\] is no row; write \[from, repeats"),
    "no head": ({k: v for k, v in model().items() if k != "head"}, r"mine.yaml: lacks `head`"),
    "head no list": (model(head=3), r"`head` must be a list of rows"),
}


@pytest.mark.parametrize(("broken", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_model_is_one_sentence_with_file_row_and_block(patched: None, broken: dict, message: str) -> None:
    with pytest.raises(ModelYAMLError, match=message) as caught:
        tasks.DetectionModel(broken, verbose=False)
    assert str(caught.value).startswith("mine.yaml")
    assert "\n" not in str(caught.value)


def test_a_custom_activation_of_the_users_works_in_a_model_of_ours(
    patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class MyAct(nn.SiLU):
        pass

    monkeypatch.setattr(tasks, "MyAct", MyAct, raising=False)
    layers, _ = tasks.parse_model(model(activation="MyAct()"), ch=3, verbose=False)
    assert isinstance(layers[0].act, MyAct)
    assert isinstance(layers[1].primary.act, MyAct)


def test_a_stage_is_composed_by_names_in_the_row(patched: None) -> None:
    row = [-1, 2, "plugins.C3k2", [64, True, "GhostBottleneck", "SE(r=4)"]]
    layers, _ = tasks.parse_model(rows(1, row), ch=3, verbose=False)
    assert {"C3k2", "C3k", "GhostBottleneck", "SE"} <= {type(m).__name__ for m in layers[1].modules()}


def test_our_file_wins_over_ultralytics_and_says_so_and_one_in_the_working_directory_over_both(
    patched: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    monkeypatch.setattr(tasks.LOGGER, "info", said.append)
    for _ in range(2):
        assert "plugins.GhostConv" in str(tasks.yaml_model_load("yolov8n-ghost.yaml"))
    assert said == ["yolov8-ghost.yaml: yolo-plugins' model is used, not Ultralytics' of the same name"]
    (tmp_path / "yolov8-ghost.yaml").write_text(yaml.safe_dump(model(nc=77)))
    assert tasks.yaml_model_load("yolov8s-ghost.yaml")["nc"] == 77


@pytest.mark.skipif(sys.version_info < (3, 11), reason="errors have no notes before")
@pytest.mark.parametrize(
    ("asked", "meant"),
    [("yolov8n-gost.yaml", "yolov8n-ghost.yaml"), ("yolo26n_lite.yaml", "yolo26n-lite.yaml"), ("yolov7n.yaml", None)],
    ids=["one of ours misspelt", "with another letter", "a stock one that this release lacks"],
)
def test_a_name_near_one_of_ours_is_pointed_out_and_no_other(patched: None, asked: str, meant: str | None) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        tasks.yaml_model_load(asked)
    notes = getattr(caught.value, "__notes__", [])
    assert [meant in note for note in notes] == ([True] if meant else [])


def fail() -> None:
    raise patch_ultralytics.PatchError("no")


def lacking(module: str) -> Callable[[str], ModuleType]:
    """`import_module` where a name that the pack's heads import is not in a module."""

    def load(name: str) -> ModuleType:
        if name.endswith(".heads"):
            raise ImportError(f"cannot import name 'OBB' from '{module}'", name=module)
        return import_module(name)

    return load


@pytest.mark.parametrize(
    ("broken", "by", "message"),
    [
        ("inspect.getsource", lambda _: "def parse_model(d): ...", r"Ultralytics \d+\.\d+.*tested: 8.*pip install"),
        ("yolo_plugins.rows.safe_loading.trust", fail, "no"),
        (
            "importlib.import_module",
            lacking("ultralytics.nn.modules"),
            r"^Ultralytics \d.* lacks .*'OBB'.*tested: 8.1.*stock models work",
        ),
    ],
    ids=["parse_model of unknown shape", "a later step", "a head that was not there yet"],
)
def test_a_patch_that_fails_leaves_ultralytics_as_it_was(
    broken: str, by: Callable[..., object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state()
    monkeypatch.setattr(broken, by)
    with pytest.raises(patch_ultralytics.PatchError, match=message):
        patch_ultralytics.apply()
    monkeypatch.undo()
    assert state() == before
    assert not patch_ultralytics.active()


def test_ultralytics_is_not_blamed_for_what_another_package_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.import_module", lacking("torch.nn"))
    with pytest.raises(ImportError, match=r"^cannot import name 'OBB' from 'torch.nn'$"):
        patch_ultralytics.apply()
