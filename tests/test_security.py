"""What a file from a stranger can do: a model YAML, a recipe, a checkpoint. Names on pages: test_compare_report.py."""

import os
from pathlib import Path

import pytest
import torch
import yaml
from conftest import Environment, mostly_slow
from torch import nn
from yolo_plugins import GhostConv
from yolo_plugins.cli import main

import patch_ultralytics

CODE = (
    "__import__('pathlib').Path('executed').touch()",
    "!!python/object/apply:os.system ['touch executed']",
    "GhostConv(ratio=__import__('os').system('touch executed'))",
    "(lambda: open('executed', 'w'))()",
)
every_code = pytest.mark.parametrize("code", CODE, ids=["call", "YAML tag", "argument", "lambda"])


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@every_code
@pytest.mark.parametrize(
    "command", ["yaml {} --swap ghost -o new.yaml", "check {} --quick", "info {}", "draw {} -o a.svg"]
)
def test_a_strangers_model_yaml_executes_nothing(code: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for place in range(3):
        rows = [[-1, 1, "Conv", [16, 3, 2]], [-1, 1, "plugins.C3k2", [32, True, "GhostBottleneck"]]]
        rows[1][2:] = (
            ["plugins." + code, [32]] if place == 0 else [rows[1][2], [32, True, code] if place == 1 else [code]]
        )
        text = yaml.safe_dump({"nc": 1, "backbone": rows, "head": [[[0, 1], 1, "Detect", ["nc"]]]})
        Path("yolov8-mine.yaml").write_text(text.replace(f"'{code}'", code) if code.startswith("!!") else text)
        main(command.format("yolov8-mine.yaml").split())
    assert not Path("executed").exists()


@every_code
def test_a_strangers_recipe_executes_nothing(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    for rule in ({"stage": code}, {"stage": "C2f", "options": {"inner": code}}, {"conv": "GhostConv", "stride": code}):
        text = yaml.safe_dump({"title": code, "where": "x", "rules": [rule]})
        Path("recipe.yaml").write_text(text.replace(f"'{code}'", code) if code.startswith("!!") else text)
        assert main(["yaml", "yolov8.yaml", "--swap", "recipe.yaml", "-o", "new.yaml", "--force"]) in (0, 1)
    assert not Path("executed").exists()


class Caller:
    """What a malicious checkpoint holds: an object that is made by calling something."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


@pytest.mark.parametrize(
    "hidden", mostly_slow(["beside the model", "inside a block of ours"], ["inside a block of ours"])
)
def test_under_restricted_loading_a_checkpoint_of_ours_loads_and_one_that_calls_for_more_does_not(
    hidden: str, active: Environment, tmp_path: Path
) -> None:
    block = GhostConv(8, 8)
    torch.save({"model": nn.Sequential(block)}, "ours.pt")
    if hidden == "inside a block of ours":
        block.evil = Caller()
    torch.save({"model": nn.Sequential(block), "evil": Caller()}, "theirs.pt")
    load = "import sys, ultralytics.nn.tasks as t; t.torch_safe_load(sys.argv[1]); print('loaded')"
    variables = {"ULTRALYTICS_SAFE_LOAD": "1"}
    assert "loaded" in active.run("python", "-c", load, "ours.pt", cwd=tmp_path, **variables).stdout
    refused = active.run("python", "-c", load, "theirs.pt", cwd=tmp_path, check=False, **variables)
    assert refused.returncode != 0
    patch_ultralytics.apply()
    with pytest.raises(Exception, match=r"os|posix"):
        torch.load("theirs.pt", weights_only=True)
    assert not Path("executed").exists()
