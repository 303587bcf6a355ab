"""A slice of the broken YAMLs; `tests/benchmarks/bad_input.py` runs them all."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bad_yaml import KINDS, mutant
from bad_yaml_runs import GOOD, ends

import patch_ultralytics

FAST = 4 * len(KINDS)
ALL = 130 * len(KINDS)


def test_a_broken_yaml_runs_or_is_refused_in_one_sentence() -> None:
    found = list(ends(mutant(number, seed=1) for number in range(FAST)))
    bad = [f"{end.mutant.kind}, {end.mutant.number}: {end.end} {end.message}" for end in found if end.end not in GOOD]
    assert not bad, "\n".join(bad)
    assert {end.end for end in found} == set(GOOD), "some must run, or the mutants are too broken to tell anything"
    assert max(end.gigabytes for end in found) < 6


@pytest.mark.slow
def test_two_thousand_broken_yamls_run_or_are_refused_in_one_sentence() -> None:
    bad = [end for end in ends(mutant(number) for number in range(ALL)) if end.end not in GOOD]
    assert not bad


def test_the_same_number_is_the_same_mutant() -> None:
    assert [mutant(i) for i in range(40)] == [mutant(i) for i in range(40)]
    assert {mutant(i).kind for i in range(len(KINDS))} == set(KINDS)


def test_nothing_in_a_yaml_is_executed_where_python_leaves_out_assertions(tmp_path: Path) -> None:
    file = tmp_path / "yolov8n-evil.yaml"
    file.write_text(mutant(0).text + "\nactivation: open('executed', 'w')\n")
    code = f"import patch_ultralytics; patch_ultralytics.apply()\nfrom ultralytics import YOLO\nYOLO({str(file)!r})"
    done = subprocess.run([sys.executable, "-O", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert "ModelYAMLError" in done.stderr
    assert not (tmp_path / "executed").exists()


def test_a_broken_row_leaves_the_activation_of_other_models_alone(patched: None) -> None:
    from ultralytics.nn import tasks

    before = tasks.Conv.default_act
    model = ast.literal_eval(
        "{'nc': 1, 'activation': 'torch.nn.ReLU()', 'backbone': [[-1, 1, 'Conv', [8, 3, 2, 1, 3]]], "
        "'head': [[[-1], 1, 'Detect', ['nc']]]}"
    )
    with pytest.raises(ValueError, match=r"row 0 \(Conv\)"):
        tasks.DetectionModel(model, verbose=False)
    assert tasks.Conv.default_act is before


def test_a_block_taken_back_is_no_longer_a_name_for_rows(patched: None) -> None:
    import yolo_plugins as yp
    from ultralytics.nn import tasks

    class Passing(torch.nn.Identity):
        row = "same"

        def __init__(self) -> None:
            super().__init__()

    model = {"nc": 1, "backbone": [[-1, 1, "plugins.Passing", []]], "head": [[-1, 1, "Conv", [8]]]}
    yp.register(Passing)
    tasks.parse_model(model, ch=3, verbose=False)
    yp.unregister(Passing)
    with pytest.raises(ValueError, match=r"row 0 \(plugins.Passing\): no module of this name"):
        tasks.parse_model(model, ch=3, verbose=False)


def test_the_same_seed_gives_the_same_weights_with_and_without_the_patch() -> None:
    from ultralytics.nn import tasks

    states = []
    for patch in (False, True):
        if patch:
            patch_ultralytics.apply()
        torch.manual_seed(0)
        states.append(tasks.DetectionModel("yolov8n.yaml", verbose=False).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
