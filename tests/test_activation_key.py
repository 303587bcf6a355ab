"""A stranger's `activation:` is Python to Ultralytics, and to no command of the pack."""

from pathlib import Path

import pytest
import yaml
from torch import nn
from yolo_plugins.cli import main
from yolo_plugins.models.activation_key import foreign
from yolo_plugins.models.building import build, yolo
from yolo_plugins.models.dry_run import build as build_dry
from yolo_plugins.rows.description import ModelYAMLError

CODE = "__import__('pathlib').Path('executed').touch() or torch.nn.ReLU()"
MODEL = {
    "nc": 2,
    "backbone": [[-1, 1, "Conv", [16, 3, 2]], [-1, 1, "Conv", [16, 3, 2]], [-1, 1, "C2f", [16]]],
    "head": [[[1, 2], 1, "Detect", ["nc"]]],
}
COMMANDS = [
    "yaml {} --swap ghost -o new.yaml",
    "info {}",
    "draw {} -o a.svg",
    "compare {} --formats onnx -o report",
    "ablate {} --add se data=none.yaml --seeds 1 -o ablation",
    "search {} --runtime onnx --faster 1.5 -o new.yaml",
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("yolov8-mine.yaml").write_text(yaml.safe_dump({**MODEL, "activation": CODE}))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_no_command_of_ours_runs_it(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command.format("yolov8-mine.yaml").split()) == 1
    assert not Path("executed").exists()
    assert not Path("new.yaml").exists()


def test_check_leaves_it_out_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "yolov8-mine.yaml"]) == 0
    assert "it is code, which `check` does not run" in capsys.readouterr().out
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    "make", [build, yolo, lambda file: build_dry({**MODEL, "activation": CODE, "yaml_file": file})]
)
def test_it_is_refused_in_one_sentence_with_what_to_do(make: object) -> None:
    message = r"^yolov8-mine.yaml: activation: .* is not a torch.nn layer .* it is code, .* `yolo train` if you trust"
    with pytest.raises(ModelYAMLError, match=message) as caught:
        make("yolov8-mine.yaml")
    assert "\n" not in str(caught.value)
    assert not Path("executed").exists()


@pytest.mark.parametrize("spec", ["torch.nn.Hardtanh(-1, 1)", "nn.LeakyReLU(0.1, inplace=True)", "torch.nn.Identity()"])
def test_a_plain_layer_is_what_it_is_to_ultralytics(spec: str, patched: None) -> None:
    assert not foreign(spec)
    Path("yolov8-mine.yaml").write_text(yaml.safe_dump({**MODEL, "activation": spec}))
    try:
        assert type(build("yolov8-mine.yaml").model[0].act).__name__ == spec.partition("(")[0].split(".")[-1]
    finally:
        from ultralytics.nn.modules import Conv

        Conv.default_act = nn.SiLU()  # which Ultralytics leaves as it was last
