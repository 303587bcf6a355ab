"""What the benchmarks compare: variants of lite build, foldings give equal outputs, many exports leave nothing.

And blocks are timed beside what they stand for.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import block_latency
import pytest
import torch
import yaml
from conftest import mostly_slow
from fusing import STEPS, Step, pair
from lite_designs import DESIGNS, write
from soak import soak
from yolo_plugins.models.building import build
from yolo_plugins.rows.description import read, rows_of
from yolo_plugins.swapping.recipes import recipe
from yolo_plugins.swapping.yaml_writing import swap_yaml


@pytest.mark.parametrize("design", mostly_slow(DESIGNS, list(DESIGNS)[::6]))
def test_a_variant_of_lite_builds_and_is_named_after_its_scale(design: str, tmp_path: Path) -> None:
    file = write(design, tmp_path)
    assert file.name == f"yolov8n-lite-{design}.yaml"
    blocks = {type(layer).__name__ for layer in build(str(file)).model}
    assert ("RepGhostStage" in blocks) is not design.startswith("c2f")
    assert ("LiteDetect" in blocks) is (design != "stock-head")


CHOSEN = {"stage3-depthwise-8-merged3-reg12": 1.0, "stage3-depthwise-8-neck128-merged3-reg12": 0.5}
"""The design that lite is, and one that differs from it in how wide the neck is at stride 8."""


@pytest.mark.parametrize(("design", "finest"), CHOSEN.items())
def test_lite_has_the_rows_of_the_design_that_was_chosen(design: str, finest: float, tmp_path: Path) -> None:
    write(design, tmp_path)
    swapped = swap_yaml("yolov8.yaml", replace(recipe("lite"), finest=finest), figures=False)
    assert rows_of(yaml.safe_load(swapped.text)) == rows_of(read(tmp_path / f"yolov8-lite-{design}.yaml"))


@pytest.mark.parametrize("step", STEPS, ids=[step.name.replace(" ", "-") for step in STEPS])
def test_a_folded_model_gives_the_same_outputs_from_other_layers(step: Step) -> None:
    before, after = pair(step)
    image = torch.rand(1, 3, 64, 64)
    expected = before(image)
    assert (after(image) - expected).abs().max() < 1e-4 * expected.abs().max()
    assert str(before) != str(after)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the tracer's
def test_models_built_fused_and_exported_again_and_again_leave_memory_and_registries_as_they_are() -> None:
    memory, first, last = soak(["yolov8n-ghost.yaml", "mobilenetv3-small-cls.yaml"], cycles=4, seconds=600)
    assert first == last
    assert memory[-1] - memory[1] < 3, memory


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timings of blocks in one runtime, on small maps of one stride."""
    pytest.importorskip("onnxruntime")
    for name, value in {"RUNTIMES": {"onnx": "ONNX Runtime"}, "STRIDES": {8: 1}, "IMAGE": 64}.items():
        monkeypatch.setattr(block_latency, name, value)


def timed(file: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["block_latency.py", "--seconds", "0", "--threads", "1", "-o", str(file), *words])
    block_latency.main()


def test_blocks_are_timed_beside_what_they_stand_for_and_only_once(
    small: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "times.json"
    timed(file, monkeypatch, "ECA", "DWConv", "ConvBNAct")
    found = json.loads(file.read_text(encoding="utf-8"))
    assert "onnxruntime" in found["machine"]["versions"]
    assert {name: block["beside"] for name, block in found["blocks"].items()} == {
        "DWConv": "a plain 3×3 convolution",
        "ECA": "a C2f without it",
    }
    times = found["blocks"]["ECA"]["strides"]["8"]
    assert times["call"] == "ECA(128)"
    assert all(times["onnx"][key] > 0 for key in ("ms", "beside_ms", "ratio", "low", "high"))
    capsys.readouterr()
    timed(file, monkeypatch, "ECA", "DWConv", "ConvBNAct")
    assert "at stride" not in capsys.readouterr().out
    assert json.loads(file.read_text(encoding="utf-8")) == found


def test_times_of_another_machine_are_not_mixed_in(
    small: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "times.json"
    file.write_text('{"machine": {"processor": "another"}, "blocks": {}}')
    with pytest.raises(SystemExit, match="is of another machine or other versions; give -o, or --again for all"):
        timed(file, monkeypatch, "ECA")


def test_what_a_runtime_cannot_run_is_said_in_its_place(small: None, tmp_path: Path) -> None:
    class Sorted(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no such layer")

    bench = block_latency.Bench(tmp_path, threads=1, seconds=0)
    beside = block_latency.Pair(Sorted(), torch.nn.Identity(), "nothing", 8)
    image = torch.zeros(1, 8, 4, 4)
    assert bench.timed(beside, image, {}) == {"onnx": {"error": "no such layer"}}
    assert bench.timed(beside, image, {"onnx": "known not to"}) == {"onnx": {"error": "known not to"}}
