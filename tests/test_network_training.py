"""YAMLs of networks and of every task through Ultralytics' own commands: trained, validated, used, exported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Environment
from replacement_cases import tensors
from replacement_table import difference
from task_datasets import data_for
from yolo_plugins.model_yamls import names
from yolo_plugins.models.building import save
from yolo_plugins.rows.yaml_files import with_scale
from yolo_plugins.training.norm_statistics import measured_norms

FAST = ["yolo26n-lite-pose.yaml"]
SLOW = [
    *("ghostnet-cls.yaml", "yolov8n-mobilenetv3.yaml", "yolov8n-shufflenetv1-seg.yaml"),
    *(f"{network}-cls.yaml" for network in ("shufflenetv1", "mobilenetv3", "mobilenetv3-small")),
    *(f"yolov8n-{network}.yaml" for network in ("ghostnet", "ghostnet-seg", "shufflenetv1", "mobilenetv3-seg")),
    *(with_scale(name, "n") for name in names() if "-lite" in name and name != "yolo26-lite-pose.yaml"),
]
TRAIN = ["imgsz=64", "epochs=1", "batch=4", "workers=0", "plots=False", "seed=0", "amp=False"]


@torch.no_grad()
def enliven(network: Any, x: torch.Tensor) -> None:
    """Batch norms that fit the images, and classes one apart: after so few steps all outputs would be alike."""
    with measured_norms(network):
        network(torch.rand(8, 3, 64, 64))
    if network.task == "classify":
        linear = network.model[-1].linear
        linear.bias.zero_()
        dark, bright = network(x)[1][0]
        linear.weight /= abs(dark - bright)
        assert 0.6 < network(x)[0].max() < 0.9


def run_onnx(file: str, x: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def run_openvino(folder: str, x: np.ndarray) -> np.ndarray:
    import openvino

    file = next(Path(folder).glob("*.xml"))
    return openvino.compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0]


RUN: dict[str, Callable[[str, np.ndarray], np.ndarray]] = {"onnx": run_onnx, "openvino": run_openvino}


@pytest.mark.usefixtures("patched")
@pytest.mark.filterwarnings("ignore")  # the exporters', of the models' own branches
@pytest.mark.parametrize(
    ("model", "formats"),
    [
        *((name, ["onnx"]) for name in FAST),
        *(pytest.param(name, ["onnx", "openvino"], marks=pytest.mark.slow) for name in FAST + SLOW),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_a_whole_network_trains_validates_predicts_and_exports(
    model: str,
    formats: list[str],
    active: Environment,
    shapes: Path,
    folders: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ultralytics import YOLO

    pytest.importorskip("onnxruntime")
    classify = "-cls" in model
    data, image = data_for(model, shapes, folders, tmp_path)
    command = ["yolo", "classify", "train"] if classify else ["yolo", "train"]
    active.run(*command, f"model={model}", f"data={data}", *TRAIN, f"project={tmp_path}", "name=t", cwd=tmp_path)
    monkeypatch.chdir(tmp_path)
    best = YOLO(tmp_path / "t" / "weights" / "best.pt")
    assert best.val(data=str(data), imgsz=64, workers=0, plots=False).results_dict
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    enliven(best.model.float(), x)
    save(best.model, Path("lively.pt"), {"imgsz": 64})  # YOLO.save came after 8.1
    with torch.no_grad():
        expected = next(tensors(YOLO("lively.pt").model.fuse(verbose=False).eval()(x)))
    for name in formats:
        pytest.importorskip(name)
        file = YOLO("lively.pt").export(format=name, imgsz=64, **({"simplify": False} if name == "onnx" else {}))
        assert difference(torch.from_numpy(RUN[name](file, x.numpy())), expected) < 1e-3, name
    ours, exported = (
        YOLO(file, task=best.task).predict(image, imgsz=64, conf=0.001)[0] for file in ("lively.pt", "lively.onnx")
    )
    if classify:
        assert exported.probs.top1 == ours.probs.top1
    else:
        assert len(exported) == len(ours)
        assert YOLO("lively.pt").track(image, imgsz=64, conf=0.001)
