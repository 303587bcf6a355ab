"""Model YAMLs with rows of ours, broken in every place: they run, or are refused in one sentence with file and row."""

import copy
import datetime
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from yolo_plugins.inspection.checks import check_model
from yolo_plugins.rows.description import ModelYAMLError

tasks = pytest.importorskip("ultralytics.nn.tasks")

MODEL: dict[str, Any] = {
    "nc": 3,
    "scales": {"n": [0.5, 0.5, 256]},
    "scale": "n",
    "yaml_file": "mine.yaml",
    "backbone": [
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "plugins.GhostConv", [32, 3, 2]],
        [-1, 2, "plugins.C2fSE", [32, True]],
        [-1, 1, "plugins.ShuffleUnit", [64, 2, 1]],
        [-1, 2, "plugins.C3k2", [64, True, "GhostBottleneck", "SE(r=4)"]],
    ],
    "head": [
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 2], 1, "Concat", [1]],
        [-1, 1, "plugins.InvertedResidual", [32, 1, 4]],
        [[-1, 4], 1, "plugins.LiteDetect", ["nc"]],
    ],
}
WRONG: tuple[Any, ...] = (
    *(None, True, "", "x", 0, -1, -64, 1, 2, 7, 0.5, -0.5, math.inf, math.nan, [], [1], [[1]], {}, {"a": 1}),
    *(datetime.date(2020, 1, 1), b"\xff", "None", "鬼", "a\nb", "é" * 300, "args", "m", "plugins.", "eval", "nn."),
    *("SE(", "SE(r=print(1))", "GhostBottleneck(mid=4)", "plugins.SE.forward", "nn.Module", "parse_model", "Ensemble"),
)


def beginning(*rows: list[Any]) -> dict[str, Any]:
    """`MODEL` with other first rows."""
    return {**copy.deepcopy(MODEL), "backbone": [*rows, *MODEL["backbone"][len(rows) :]]}


def broken() -> Iterator[tuple[str, dict[str, Any]]]:
    """The model with each of its values replaced by some of the wrong ones, the same at every run; and where."""
    chance = random.Random(0)
    for part in ("backbone", "head"):
        for i, row in enumerate(MODEL[part]):
            places = [(j,) for j in range(4)] + [(3, k) for k in range(len(row[3]))] + [()]
            for place in places:
                for value in chance.sample(WRONG, 12):
                    changed = copy.deepcopy(MODEL)
                    target: Any = changed[part]
                    for step in (i, *place)[:-1]:
                        target = target[step]
                    target[(i, *place)[-1]] = value
                    yield f"{part}[{i}]{list(place)} = {value!r}"[:80], changed
    for key in MODEL:
        for value in chance.sample(WRONG, 12):
            if key not in ("yaml_file", "nc") or not isinstance(value, int):
                yield f"{key} = {value!r}"[:80], {**copy.deepcopy(MODEL), key: value}


def test_a_broken_model_runs_or_is_refused_in_one_sentence(patched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.LOGGER, "warning", lambda *_: None)
    wrong, refused, ran = [], 0, 0
    for where, description in broken():
        try:
            with torch.no_grad():
                tasks.DetectionModel(description, verbose=False)
            ran += 1
        except ModelYAMLError as error:
            refused += 1
            if "\n" in str(error) or len(str(error)) > 700:
                wrong.append(f"{where}: not a sentence: {str(error)[:200]}")
        except Exception as error:
            if any(str(row).count("plugins.") for row in [description.get("backbone"), description.get("head")]):
                wrong.append(f"{where}: {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)
    assert ran > 30
    assert refused > 300, "some must run, and some not, or this tells nothing"


def test_a_broken_row_leaves_the_activation_of_other_models_alone(patched: None) -> None:
    before = tasks.Conv.default_act
    description = beginning([-1, 1, "Conv", [8, 3, 2, 1, 3]])
    with pytest.raises(ModelYAMLError, match=r"row 0 \(Conv\)"):
        tasks.DetectionModel({**description, "activation": "torch.nn.ReLU()"}, verbose=False)
    assert tasks.Conv.default_act is before


CODE = (
    "__import__('pathlib').Path('executed').touch()",
    "torch.nn.ReLU() if open('executed', 'w') else 0",
    "torch.nn.ReLU(open('executed', 'w'))",
    "torch.nn.modules.activation.os.system('touch executed')",
    "(lambda: open('executed', 'w'))()",
    "open('executed', 'w').ReLU()",
)


@pytest.mark.parametrize("code", CODE)
def test_check_executes_nothing(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, description in (
        ("activation", {**MODEL, "activation": code}),
        ("argument", beginning([-1, 1, "Conv", [16, 3, code]])),
        ("module", beginning([-1, 1, code, [16]])),
        ("inner block", beginning(*MODEL["backbone"][:4], [-1, 1, "plugins.C3k2", [64, True, code]])),
    ):
        Path("mine.yaml").write_text(yaml.safe_dump(description))
        verdict = check_model("mine.yaml", quick=True)
        assert verdict.errors or verdict.warnings, name
    Path("mine.yaml").write_text(f"nc: 1\nbackbone: !!python/object/apply:os.system ['{code}']\n")
    assert "is not YAML" in str(check_model("mine.yaml", quick=True))
    assert not Path("executed").exists()


HUGE = {
    "nesting": ("a: " + "[" * 99 + "]" * 99, "nest too deeply"),
    "two million bytes": ("x" * 2_000_000, "is not read"),
    "no characters": ("\ufeff\x00\x01", "is empty"),
    "repeats": (yaml.safe_dump(beginning([-1, 10**12, "Conv", [8]])), "not built here"),
    "channels": (yaml.safe_dump(beginning([-1, 1, "Conv", [10**12]])), "not built here"),
}


@pytest.mark.parametrize(("text", "sentence"), HUGE.values(), ids=HUGE)
def test_check_answers_at_once_whatever_the_size(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    assert sentence in str(check_model(str(file), quick=True))
