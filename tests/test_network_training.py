"""Each YAML of a whole network through Ultralytics' own commands: trained, validated, predicted with, exported."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Environment

FAST = ["ghostnet-cls.yaml", "yolov8n-mobilenetv3.yaml", "yolov8n-shufflenetv1-seg.yaml"]
SLOW = [
    "shufflenetv1-cls.yaml",
    "mobilenetv3-cls.yaml",
    "mobilenetv3-small-cls.yaml",
    "yolov8n-ghostnet.yaml",
    "yolov8n-ghostnet-seg.yaml",
    "yolov8n-shufflenetv1.yaml",
    "yolov8n-mobilenetv3-seg.yaml",
]
TRAIN = ["imgsz=64", "epochs=1", "batch=4", "workers=0", "plots=False", "seed=0", "amp=False"]

USE = """
import sys
import numpy as np, torch
from ultralytics import YOLO

best, data, image = sys.argv[1:4]
model = YOLO(best)
metrics = model.val(data=data, imgsz=64, workers=0, plots=False)
assert metrics.results_dict, "no metrics"
result = model.predict(image, imgsz=64, conf=0.001)[0]
assert (result.probs if model.task == "classify" else result.boxes) is not None
# After so few steps all outputs are alike: batch norms that fit the images, and classes one apart, tell them apart.
torch.manual_seed(0)
x = torch.rand(1, 3, 64, 64)
lively = YOLO(best)
network = lively.model.float().train()
for m in network.modules():
    if isinstance(m, torch.nn.BatchNorm2d):
        m.reset_running_stats()
        m.momentum = None
with torch.no_grad():
    network(torch.rand(8, 3, 64, 64))
    if model.task == "classify":
        linear = network.model[-1].linear
        linear.bias.zero_()
        dark, bright = network.eval()(x)[1][0]
        linear.weight /= abs(dark - bright)
lively.save("lively.pt")

network = YOLO("lively.pt").model.fuse(verbose=False).eval()
with torch.no_grad():
    y = network(x)
while not isinstance(y, torch.Tensor):
    y = y[0]
if model.task == "classify":
    assert abs(float(y.sum()) - 1) < 1e-4 and 0.6 < float(y.max()) < 0.9, y


def difference(z):
    # The largest of any channel's, relative to the channel's largest value: boxes do not drown scores.
    scale = y.abs().flatten(2).amax((0, 2)) if y.ndim == 3 else y.abs().amax()
    gap = torch.from_numpy(np.asarray(z)).sub(y).abs()
    return float((gap.flatten(2).amax((0, 2)) / scale).max() if y.ndim == 3 else gap.max() / scale)


onnx = YOLO("lively.pt").export(format="onnx", imgsz=64, simplify=False)
import onnxruntime
session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
print("onnx", difference(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]))
if "openvino" in sys.argv[4:]:
    folder = YOLO("lively.pt").export(format="openvino", imgsz=64)
    import openvino
    from pathlib import Path
    compiled = openvino.compile_model(next(Path(folder).glob("*.xml")), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    print("openvino", difference(compiled(x.numpy())[0]))
result = YOLO("lively.pt").predict(image, imgsz=64, conf=0.001)[0]
exported = YOLO(onnx, task=model.task).predict(image, imgsz=64, conf=0.001)[0]
if model.task == "classify":
    assert exported.probs.top1 == result.probs.top1
"""


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen images in a folder for each of two classes, dark and bright noise."""
    root = tmp_path_factory.mktemp("folders")
    generator = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 2)):
        for name, level in (("dark", 60), ("bright", 190)):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                image = generator.normal(level, 30, (64, 64, 3)).clip(0, 255).astype(np.uint8)
                cv2.imwrite(str(folder / f"{i}.png"), image)
    return root


@pytest.mark.parametrize(
    ("model", "formats"),
    [
        *((name, ["onnx"]) for name in FAST),
        *(pytest.param(name, ["onnx", "openvino"], marks=pytest.mark.slow) for name in FAST + SLOW),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_a_whole_network_trains_validates_predicts_and_exports(
    model: str, formats: list[str], active: Environment, shapes: Path, folders: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    if "openvino" in formats:
        pytest.importorskip("openvino")
    classify = "-cls" in model
    data = folders if classify else shapes
    image = next(folders.rglob("*.png") if classify else (shapes.parent / "images" / "val").glob("*.jpg"))
    command = ["yolo", "classify", "train"] if classify else ["yolo", "train"]
    active.run(*command, f"model={model}", f"data={data}", *TRAIN, f"project={tmp_path}", "name=t", cwd=tmp_path)
    best = tmp_path / "t" / "weights" / "best.pt"
    done = active.run("python", "-c", USE, best, str(data), str(image), *formats, cwd=tmp_path)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(("onnx ", "openvino "))]
    differences = {name: float(value) for name, value in lines}
    print(model, differences)
    assert set(differences) == set(formats)
    assert max(differences.values()) < 1e-3, f"relative to the largest output: {differences}"
