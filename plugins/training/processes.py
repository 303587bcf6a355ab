"""A training run's process: started in its folder, ended with all that it started, and with the process that did."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from ..files import write_text
from .environment import environment

KEEP_MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184"
}
"""The C library gives large maps back after each layer and asks for them again: a fifth of the time, on a CPU."""

LOOKING = 0.5
"""Seconds between looks at what is running."""

ATTENDED = "--attended"
"""Tells a run that its input ends when the process that started it does."""


def start(folder: Path, order: Mapping[str, Any], threads: int) -> subprocess.Popen[bytes]:
    """Begin a run, or go on with it; it ends when the process that called this does, however that comes about.

    Args:
        folder: The run's, made if need be; `log.txt` in it takes what the run prints.
        order: What `one_run` is to do.
        threads: Of the run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "run.json", json.dumps(order, indent=2) + "\n")
    settings = {**environment(threads, folder.parent / "settings"), **KEEP_MEMORY}
    with open(folder / "log.txt", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "yolo_plugins.training.one_run", str(folder), ATTENDED],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, **settings},
            start_new_session=True,  # what interrupts this process is not to reach it half-way through a file
        )


def here(
    orders: Mapping[Path, Mapping[str, Any]], jobs: int, threads: int, look: Callable[[Path], object]
) -> Generator[tuple[Path, int], None, None]:
    """Run these orders on this machine; gives the folder of a run and its exit status, as they are done.

    None is left running when this ends, however it ends.

    Args:
        orders: By the run's folder.
        jobs: How many at a time.
        threads: Of each.
        look: Called now and then with the folder of each that runs.
    """
    queue, running = list(orders), dict[Path, subprocess.Popen[bytes]]()
    try:
        while queue or running:
            while queue and len(running) < jobs:
                folder = queue.pop(0)
                running[folder] = start(folder, orders[folder], threads)
            for folder, process in list(running.items()):
                if (status := process.poll()) is None:
                    look(folder)
                    continue
                stop(running.pop(folder))
                yield folder, status
            if running:
                time.sleep(LOOKING)
    finally:
        for process in running.values():
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a run and whatever it started, and wait for that."""
    if process.poll() is None:
        _kill_children(process.pid)
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()


def end_with_parent() -> None:
    """End this process and whatever it started as soon as its input ends."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        _kill_children(os.getpid())
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _kill_children(pid: int) -> None:
    """Data loaders, and the processes of training on several devices, which have sessions of their own."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
