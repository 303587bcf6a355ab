"""Hand-made rows of a comparison, as measuring would give them."""

from typing import Any

from yolo_plugins.comparing.rows import COLUMNS


def made(model: str, form: str, ms: float | None, accuracy: float | None, mb: float = 6.0, **others: Any) -> dict:
    """A row with a time of `ms` end to end and half of it for the network, quartiles 10 % around them."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "model": model,
        "format": form,
        "bits": 32,
        "recipe": "",
        "rounds": ms and 40,
        "state": "ok",
        "reason": "",
        "task": "detect",
        "classes": 4,
    }
    row |= {"params": 3_000_000, "gflops": 8.0, "mb": mb, "memory_mb": 100.0, "map": accuracy, "accuracy_note": ""}
    for prefix, time in (("", ms), ("network_", ms and ms / 2)):
        if time is not None:
            row |= {f"{prefix}ms": time, f"{prefix}ms_low": 0.9 * time, f"{prefix}ms_high": 1.1 * time}
    return row | others


def faster(low: float, median: float, high: float) -> dict[str, float]:
    """Columns of how many times as fast as the first model, the same for the network and end to end."""
    parts = {"speedup_low": low, "speedup": median, "speedup_high": high}
    return parts | {f"network_{name}": value for name, value in parts.items()}


def reduced(
    model: str, form: str, bits: int, recipe: str, own: float, ms: float, accuracy: float, **others: Any
) -> dict:
    """A row of fewer bits, `own` times as fast as the model's in 32."""
    speeds = {"own_speedup_low": 0.95 * own, "own_speedup": own, "own_speedup_high": 1.05 * own}
    found = {"bits": bits, "recipe": recipe, "best_conf": 0.4, "conf_shift": -0.01, "same_boxes": 0.97}
    return made(model, form, ms, accuracy, **{"mb": 2.0, **speeds, **found, **others})


STOCK = made("yolov8n", "onnx", 20.0, 0.40, mb=12.0)
GHOST = made("ghost", "onnx", 22.0, 0.38, mb=7.0, gflops=5.0, params=1_700_000, **faster(0.87, 0.91, 0.95))
SHUFFLE = made("shuffle", "onnx", 15.0, 0.30, mb=5.0, gflops=4.0, params=1_500_000, **faster(1.25, 1.33, 1.43))
LEVEL = made("level", "onnx", 20.2, 0.39, mb=8.0, gflops=6.0, **faster(0.96, 0.99, 1.02))
WRONG = made("ghost", "ncnn", 5.0, 0.50, mb=4.0, state="wrong", reason="boxes differ by 30 px from torch's")
FAILED = made("shuffle", "ncnn", None, None, state="failed", reason="crashed with SIGSEGV while it was to load")
MISSING = made("yolov8n", "mnn", None, None, state="missing", reason="MNN not installed: pip install MNN")
UNTRAINED = made("lite", "onnx", 6.5, None, mb=3.1, accuracy_note="no weights", gflops=2.5, **faster(3.0, 3.1, 3.2))
ROWS = [STOCK, GHOST, SHUFFLE, LEVEL, WRONG, FAILED, MISSING, UNTRAINED]

EIGHT = [
    STOCK | {"best_conf": 0.45},
    reduced("yolov8n", "onnx", 16, "ultralytics", 0.8, 25.0, 0.40),
    reduced("yolov8n", "onnx", 8, "ultralytics", 1.65, 12.0, 0.35, conf_shift=-0.2, best_conf=0.21),
    reduced("yolov8n", "onnx", 8, "yolo-plugins", 1.6, 12.5, 0.395),
    SHUFFLE | {"best_conf": 0.3},
    reduced("shuffle", "onnx", 8, "ultralytics", 0.89, 17.0, 0.29, state="wrong", reason="only 60% of …"),
    reduced("shuffle", "onnx", 8, "yolo-plugins", 1.0, 15.0, 0.30),
    made("yolov8n", "ncnn", None, None, bits=8, recipe="ultralytics", state="none", reason="NCNN has no 8 bits"),
]
"""Of two models, in fewer bits too."""
