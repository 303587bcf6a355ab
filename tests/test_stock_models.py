"""With the patch active, a model without a row of ours is none of our business: the same results, the same errors."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Environment
from yolo_plugins import model_yamls
from yolo_plugins.rows.yaml_files import stock_files, with_scale

STOCK = """
import hashlib, json, sys, time
import torch
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.utils import LOGGER
LOGGER.setLevel("ERROR")
found = {}
for name in sys.argv[1:]:
    torch.manual_seed(0)
    try:
        model = YOLO(name).model
        state = hashlib.sha256(b"".join(t.numpy().tobytes() for t in model.state_dict().values())).hexdigest()
        with torch.no_grad():
            fused = model.fuse(verbose=False).eval()(torch.ones(1, 3, 64, 64))
        while isinstance(fused, (tuple, list)):
            fused = fused[0]
        fused = next(iter(fused.values())) if isinstance(fused, dict) else fused
        found[name] = [state, list(model.state_dict()), float(fused.double().sum()), model.is_fused()]
    except Exception as error:
        notes = getattr(error, "__notes__", [])
        found[name] = [type(error).__name__, str(error), type(error.__cause__).__name__, notes]
print(json.dumps(found))
"""

SAMPLE = (
    "yolov8n.yaml", "yolov8n-seg.yaml", "yolov8n-pose.yaml", "yolov8n-obb.yaml", "yolov8n-cls.yaml", "yolov5n.yaml",
    "yolo11n.yaml", "yolo12n.yaml", "yolov10n.yaml", "yolo26n.yaml", "yolov3-tiny.yaml",
)  # fmt: skip

OWN = {
    "activation.yaml": "nc: 2\nactivation: torch.nn.Hardtanh(-1, 1)\nbackbone:\n- [-1, 1, Conv, [16, 3, 2]]\n"
    "head:\n- [[0], 1, Detect, [nc]]\n",
    "repeats.yaml": "nc: 2\nbackbone:\n- [-1, 1, Conv, [16, 3, 2]]\n- [-1, 150, nn.ReLU, []]\n"
    "head:\n- [[0], 1, Detect, [nc]]\n",
    "key.yaml": "nc: 2\nbackbone:\n- [-1, 1, Convv, [16, 3, 2]]\nhead:\n- [[0], 1, Detect, [nc]]\n",
    "type.yaml": "nc: 2\nbackbone:\n- [-1, 1, Conv, [16, 3, 2, 1, 1, 1, 1, 1, 1]]\nhead:\n- [[0], 1, Detect, [nc]]\n",
    "sizes.yaml": "nc: 2\nbackbone:\n- [-1, 1, Conv, [16, 3, 2]]\n- [-1, 1, Conv, [16, 3, 2]]\n"
    "- [[0, 1], 1, Concat, [1]]\nhead:\n- [[2], 1, Detect, [nc]]\n",
    "head.yaml": "nc: 2\nbackbone:\n- [-1, 1, Conv, [16, 3, 2]]\nhead:\n- [-1, 1, Conv, [16, 3, 2]]\n",
    "no-rows.yaml": "nc: 2\n",
    "empty.yaml": "",
    "list.yaml": "- 1\n",
    "broken.yaml": "a: [",
}


def built_alike(names: list[str], environment: Environment, folder: Path) -> list[str]:
    """Which of these models are built, after finding them the same with and without the patch, or refused the same."""
    without, patched = (
        json.loads(
            environment.run(
                "python", "-c", STOCK, *names, cwd=folder, timeout=1800, YOLO_PLUGINS=on
            ).stdout.splitlines()[-1]
        )
        for on in ("0", "1")
    )
    for name in names:
        assert without[name] == patched[name], name
    return [name for name in names if len(str(without[name][0])) == 64]


def test_stock_models_and_the_users_own_are_what_they_are_without_the_patch(
    active: Environment, tmp_path: Path
) -> None:
    for name, text in OWN.items():
        (tmp_path / name).write_text(text)
    built = built_alike([*SAMPLE, *OWN, "no-such-model.yaml"], active, tmp_path)
    assert {"yolov8n.yaml", "yolov8n-cls.yaml", "activation.yaml", "repeats.yaml"} <= set(built)
    assert "key.yaml" not in built


@pytest.mark.slow
def test_every_stock_yaml_is_what_it_is_without_the_patch(
    active: Environment, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each in its smallest size; one whose bare name means ours, which a line in the log is about, by a path.

    A short one: Ultralytics drops the first letter of a scale after a digit, in a folder's name too.
    """
    files = stock_files()
    (tmp_path / "stock").mkdir()
    for path in files:
        shutil.copy(path, tmp_path / "stock")
    names = [
        f"{'stock/' * (path.name in model_yamls.names())}{with_scale(path.name, 'n')}"
        for path in files
        if "TorchVision" not in path.read_text(encoding="utf-8")  # whose weights are downloaded while it is built
    ]
    built = built_alike(names, active, tmp_path)
    record_property("built", len(built))  # for docs/versions.md
    record_property("refused", len(names) - len(built))
    record_property("left out", len(files) - len(names))
    assert len(built) > 0.6 * len(names), "most are built, or this tells nothing"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="errors have no notes before")
def test_a_block_of_ours_without_its_prefix_is_pointed_out_in_a_note(active: Environment, tmp_path: Path) -> None:
    text = "nc: 2\nbackbone:\n- [-1, 1, C2fGhost, [16]]\nhead:\n- [[0], 1, Detect, [nc]]\n"
    (tmp_path / "mine.yaml").write_text(text)
    code = "from ultralytics import YOLO; YOLO('mine.yaml')"
    without, patched = (
        active.run("python", "-c", code, cwd=tmp_path, check=False, YOLO_PLUGINS=on).stderr for on in ("0", "1")
    )
    assert without.strip().splitlines()[-1] == "KeyError: 'C2fGhost'"
    error, note = patched.strip().splitlines()[-2:]
    assert error == "KeyError: 'C2fGhost'"
    assert note == "C2fGhost is a block of yolo-plugins; a row names it as plugins.C2fGhost"
    typo = active.run("yolo", "train", "model=yolov8n-gost.yaml", cwd=tmp_path, check=False).stderr
    assert "did you mean yolov8n-ghost.yaml" in typo
