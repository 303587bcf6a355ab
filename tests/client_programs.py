"""What tests/clients.py has other people's programs do; run in a folder with best.pt, best.onnx and video.mp4.

Nothing of the pack is imported here. The last line that a program prints is what came of it.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE = 64
NEAR = 0.05
"""Pixels of a box and of scores."""


def video(data: Path) -> None:
    """Draw a video: an image of the data set that moves by two pixels a frame."""
    import cv2
    import numpy as np

    image = cv2.imread(str(picture(data)))
    out = cv2.VideoWriter("video.mp4", cv2.VideoWriter_fourcc(*"mp4v"), 5, (SIZE, SIZE))
    for step in range(5):
        out.write(np.roll(image, 2 * step, 1))
    out.release()


def picture(data: Path) -> Path:
    return next((data.parent / "images" / "val").glob("*.jpg"))


def tune(data: Path) -> None:
    """One iteration of Ultralytics' own search for hyperparameters."""
    from ultralytics import YOLO

    short = {"epochs": 1, "imgsz": SIZE, "batch": 4, "workers": 0, "plots": False, "amp": False, "device": "cpu"}
    YOLO("best.pt").tune(data=str(data), iterations=1, project=str(Path.cwd()), name="tune", **short)
    files = [path.name for path in Path.cwd().rglob("best_hyperparameters.yaml")]
    print("works" if files else "no best_hyperparameters.yaml was written")


def sahi(data: Path) -> None:
    """Predict on four slices of an image twice the size."""
    import cv2
    from sahi import AutoDetectionModel
    from sahi.predict import get_sliced_prediction

    image = cv2.resize(cv2.imread(str(picture(data))), (2 * SIZE, 2 * SIZE))
    model = AutoDetectionModel.from_pretrained(
        model_type="ultralytics", model_path="best.pt", confidence_threshold=0.001, device="cpu", image_size=SIZE
    )
    found = get_sliced_prediction(
        image, model, slice_height=SIZE, slice_width=SIZE, overlap_height_ratio=0.0, verbose=0
    )
    assert found.object_prediction_list, "nothing was found at a confidence of 0.001"
    print("works")


def supervision(data: Path) -> None:
    """Read Ultralytics' results and draw them."""
    import supervision as sv
    from ultralytics import YOLO

    (result,) = YOLO("best.pt").predict(str(picture(data)), imgsz=SIZE, conf=0.001, verbose=False)
    detections = sv.Detections.from_ultralytics(result)
    assert len(detections) == len(result.boxes) > 0, f"{len(detections)} of {len(result.boxes)} detections were read"
    drawn = sv.BoxAnnotator().annotate(result.orig_img.copy(), detections)
    assert (drawn != result.orig_img).any()
    print("works")


def both(run: Callable[[Any], Any]) -> None:
    """Say how far the raw outputs of a client are from torch's in 64 bits, for the same image."""
    import torch
    from ultralytics import YOLO

    image = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    network = YOLO("best.pt").model.double().eval()
    with torch.no_grad():
        output = network(image.double())
    expected = output[0] if isinstance(output, (tuple, list)) else output
    found = torch.as_tensor(run(image.numpy()))
    if found.shape[-1] == 6:  # detections without NMS, by descending score: among equals the order is not settled
        found, expected = found[..., 4].sort(-1).values, expected[..., 4].sort(-1).values
    assert found.shape == expected.shape, f"shape {list(found.shape)} instead of {list(expected.shape)}"
    gap = float((found.double() - expected).abs().max())
    assert gap < NEAR, f"differs by {gap:.2g} from torch"
    print(f"within {gap:.0e}")


def yolonnx(data: Path) -> None:
    """Detect with the ONNX file by what its metadata says; the surest detection is the one Ultralytics finds."""
    from onnxruntime import InferenceSession
    from PIL import Image
    from ultralytics import YOLO
    from yolonnx.services import Detector
    from yolonnx.to_tensor_strategies import PillowToTensorContainStrategy

    file = str(picture(data))
    session = InferenceSession("best.onnx", providers=["CPUExecutionProvider"])
    found = Detector(session, PillowToTensorContainStrategy(), conf_threshold=0.0001).run(Image.open(file))
    (result,) = YOLO("best.onnx", task="detect").predict(file, imgsz=SIZE, conf=0.0001, verbose=False)
    surest = max(found, key=lambda detection: detection.score)
    assert abs(surest.score - float(result.boxes.conf.max())) < NEAR, f"{surest}, {result.boxes.conf.max()}"
    print("works")


def polygraphy(data: Path) -> None:
    """NVIDIA's check of a file for TensorRT, without TensorRT: each node is run by itself."""
    import subprocess

    command = [str(Path(sys.executable).with_name("polygraphy")), "check", "lint", "best.onnx"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    faults = [line for line in done.stdout.splitlines() if line.startswith("[E]")]
    print(f"{len(faults)} faulty nodes")


def opencv(data: Path) -> None:
    """Run the ONNX file by OpenCV's own interpreter."""
    import cv2

    network = cv2.dnn.readNetFromONNX("best.onnx")

    def run(image: Any) -> Any:
        network.setInput(image)
        return network.forward()

    both(run)


def reference(data: Path) -> None:
    """Evaluate the ONNX file by the standard's own definition of its operators."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load("best.onnx"))
    both(lambda image: evaluator.run(None, {evaluator.input_names[0]: image})[0])


def checker(data: Path) -> None:
    """Export at each opset, check the file with shapes inferred strictly, and let ONNX Runtime load it."""
    import onnx
    import onnxruntime
    from torch.onnx import _constants  # what the exporter itself compares an opset with
    from ultralytics import YOLO

    opsets = range(13, _constants.ONNX_TORCHSCRIPT_EXPORTER_MAX_OPSET + 1)
    for opset in opsets:
        file = YOLO("best.pt").export(format="onnx", imgsz=SIZE, opset=opset, simplify=False)
        model = onnx.load(file)
        written = {entry.version for entry in model.opset_import if not entry.domain}
        assert written == {opset}, f"opset {written} was written instead of {opset}"
        onnx.checker.check_model(model, full_check=True)
        onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    print(f"{opsets[0]} to {opsets[-1]}")


PROGRAMS = {f.__name__: f for f in (video, tune, sahi, supervision, yolonnx, opencv, polygraphy, reference, checker)}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](Path(sys.argv[2]))
