"""Hand-made rows of a comparison, as measuring would give them."""

from typing import Any

from yolo_plugins.comparing.rows import COLUMNS


def made(model: str, form: str, ms: float | None, accuracy: float | None, mb: float = 6.0, **others: Any) -> dict:
    """A row with a time of `ms` end to end and half of it for the network, quartiles 10 % around them."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"model": model, "format": form, "state": "ok", "reason": "", "task": "detect", "classes": 4}
    row |= {"params": 3_000_000, "gflops": 8.0, "mb": mb, "memory_mb": 100.0, "map": accuracy, "accuracy_note": ""}
    for prefix, time in (("", ms), ("network_", ms and ms / 2)):
        if time is not None:
            row |= {f"{prefix}ms": time, f"{prefix}ms_low": 0.9 * time, f"{prefix}ms_high": 1.1 * time}
    return row | others


def ratios(low: float, median: float, high: float) -> dict[str, float]:
    """Columns of a ratio to the first model, the same for the network and end to end."""
    parts = {"ratio_low": low, "ratio": median, "ratio_high": high}
    return parts | {f"network_{name}": value for name, value in parts.items()}


STOCK = made("yolov8n", "onnx", 20.0, 0.40, mb=12.0)
GHOST = made("ghost", "onnx", 22.0, 0.38, mb=7.0, gflops=5.0, params=1_700_000, **ratios(1.05, 1.1, 1.15))
SHUFFLE = made("shuffle", "onnx", 15.0, 0.30, mb=5.0, gflops=4.0, params=1_500_000, **ratios(0.7, 0.75, 0.8))
LEVEL = made("level", "onnx", 20.2, 0.39, mb=8.0, gflops=6.0, **ratios(0.98, 1.01, 1.04))
WRONG = made("ghost", "ncnn", 5.0, 0.50, mb=4.0, state="wrong", reason="boxes differ by 30 px from torch's")
FAILED = made("shuffle", "ncnn", None, None, state="failed", reason="crashed with SIGSEGV while it was to load")
MISSING = made("yolov8n", "mnn", None, None, state="missing", reason="MNN not installed: pip install MNN")
ROWS = [STOCK, GHOST, SHUFFLE, LEVEL, WRONG, FAILED, MISSING]
