"""A worker process as its parent sees it: asked in turn, stopped when it takes too long, its death explained."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .formats import NOT_INSTALLED

LONGEST_POLL = 3600.0
"""Seconds; the system's call takes no more than some weeks."""


class WorkerError(RuntimeError):
    """A worker could not do what it was asked to; the message says what happened."""


class Worker:
    """A process of `yolo_plugins.comparing.worker` that answers one request after another; starts at the first.

    Args:
        log: File that takes everything the process prints.
        environment: Set on top of the parent's.
        opening: Name and arguments of a request that goes before the first one.
    """

    def __init__(
        self, log: Path, environment: Mapping[str, str], opening: tuple[str, dict[str, Any]] | None = None
    ) -> None:
        self.log = log
        self._environment = environment
        self._opening = opening
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting = b""

    def ask(self, request: str, timeout: float, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            WorkerError: the worker reports a failure, has died, or took longer than `timeout` seconds and was stopped.
        """
        if self._process is None:
            self._start()
            if self._opening:
                self.ask(self._opening[0], timeout, **self._opening[1])
        assert self._process is not None
        assert self._process.stdin is not None
        line = json.dumps({"request": request, **arguments}, default=str) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerError(self._death(request)) from error
        answer = json.loads(self._line(request, timeout))
        if "error" in answer:
            raise WorkerError(self._explained(answer["error"]))
        return dict(answer["result"])

    def _start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "yolo_plugins.comparing.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )

    def _line(self, request: str, timeout: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        end = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._waiting:
                left = end - time.monotonic()
                if left > 0 and not selector.select(min(left, LONGEST_POLL)):
                    continue
                if left <= 0:
                    self.close()
                    raise WorkerError(f"stopped after {timeout:g} s while it was to {request}; --timeout gives more")
                chunk = os.read(self._process.stdout.fileno(), 1 << 16)
                if not chunk:
                    raise WorkerError(self._death(request))
                self._waiting += chunk
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line

    def _death(self, request: str) -> str:
        """How the process ended; the next request starts a new one."""
        assert self._process is not None
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return f"closed its answers while it was to {request}"
        finally:
            self.close()
        with contextlib.suppress(ValueError):
            if code < 0:
                return (
                    f"crashed with {signal.Signals(-code).name} while it was to {request}; its output is in {self.log}"
                )
        return f"ended with code {code} while it was to {request}; its output is in {self.log}"

    def _explained(self, error: str) -> str:
        """An error, with the command that installs what Ultralytics missed, as its log says."""
        lacking = re.findall(r"requirements? \[([^\]]*)\] not found", self.log.read_text("utf-8", "replace"))
        if lacking and ("No module named" in error or "not installed" in error):
            packages = " ".join(f"'{package}'" for package in re.findall(r"'([^']*)'", lacking[-1]))
            return f"{packages} {NOT_INSTALLED} {packages}"
        return error

    def close(self) -> None:
        """End the process and whatever it started."""
        if self._process is None:
            return
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process, self._waiting = None, b""

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def environment(threads: int, folder: Path) -> dict[str, str]:
    """What every worker runs with: so many threads, no waiting loops, and neither installs nor downloads.

    Args:
        threads: For every runtime.
        folder: Where Ultralytics keeps its settings for these processes, apart from the user's.

    Raises:
        OSError: the folder cannot be written.
    """
    _settings(folder)
    count = str(threads)
    return {
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_OFFLINE": "true",
        "YOLO_VERBOSE": "true",
        "YOLO_CONFIG_DIR": str(folder),
        "MPLBACKEND": "Agg",
    }


def _settings(folder: Path) -> None:
    """Ultralytics' settings for the workers: the user's place for data sets, and a font, which it would download."""
    import shutil

    import matplotlib
    from ultralytics.utils import SETTINGS

    home = folder / "Ultralytics"
    home.mkdir(parents=True, exist_ok=True)
    fonts = Path(matplotlib.get_data_path(), "fonts", "ttf")
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        if not (home / name).exists():
            shutil.copyfile(fonts / "DejaVuSans.ttf", home / name)
    if not (home / "settings.json").exists():
        keep = {key: value for key, value in SETTINGS.items() if not isinstance(value, bool)}
        quiet = {key: False for key, value in SETTINGS.items() if isinstance(value, bool)}
        (home / "settings.json").write_text(json.dumps({**keep, **quiet}), encoding="utf-8")
