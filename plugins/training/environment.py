"""What processes which train, validate and measure run with: environment variables and settings; and their memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path


def environment(threads: int, folder: Path) -> dict[str, str]:
    """What such a process runs with: so many threads, no waiting loops, and neither installs nor downloads.

    `folder` is where Ultralytics keeps its settings for these processes, apart from the user's.
    """
    _settings(folder / "Ultralytics")
    return {
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)),
        "OMP_WAIT_POLICY": "PASSIVE",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_OFFLINE": "true",
        "YOLO_VERBOSE": "true",
        "YOLO_CONFIG_DIR": str(folder),
        "MPLBACKEND": "Agg",
    }


def _settings(home: Path) -> None:
    """Ultralytics' settings for the workers: the user's place for data sets, and a font, which it would download."""
    import matplotlib
    from ultralytics.utils import SETTINGS

    home.mkdir(parents=True, exist_ok=True)
    font = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        if not (home / name).exists():
            shutil.copyfile(font, home / name)
    if not (home / "settings.json").exists():
        quiet = {key: False if isinstance(value, bool) else value for key, value in SETTINGS.items()}
        (home / "settings.json").write_text(json.dumps(quiet), encoding="utf-8")


def peak_memory() -> float:
    """Largest resident size of this process so far, in megabytes (10⁶ bytes)."""
    try:
        # Not ru_maxrss: Linux lets a process inherit its parent's there.
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import psutil

        memory = psutil.Process().memory_info()
        return float(getattr(memory, "peak_wset", memory.rss)) / 1e6
