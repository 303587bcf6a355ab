"""A worker process as its parent sees it: asked in turn, stopped when it takes too long, its death explained."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .formats import not_installed

LONGEST = 1e6
"""Seconds; the system's call waits for some weeks at most, and what may take longer may take for ever."""


class WorkerError(RuntimeError):
    """A worker could not do what it was asked to; the message says what happened."""


class NotInstalledError(WorkerError):
    """Packages are missing that Ultralytics needs for it; the message has the command that installs them."""


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
        self._running: tuple[subprocess.Popen[bytes], Connection] | None = None

    def ask(self, request: str, timeout: float | None, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer, without an end where `timeout` is None.

        Raises:
            NotInstalledError: it needs packages that are not there.
            WorkerError: the worker reports a failure, has died, or took longer than `timeout` seconds and was stopped.
        """
        if self._running is None:
            self._running = self._start()
            if self._opening:
                self.ask(self._opening[0], timeout, **self._opening[1])
        process, connection = self._running
        try:
            connection.send((request, arguments))
            if not connection.poll(timeout if timeout is None or timeout < LONGEST else None):
                self.close()
                raise WorkerError(f"stopped after {timeout:g} s while it was to {request}; --timeout gives more")
            answer: dict[str, Any] = connection.recv()
        except (OSError, EOFError) as error:
            end = _end(process, f"while it was to {request}", self.log)
            self.close()  # the next request starts a new one
            raise WorkerError(end) from error
        if "error" not in answer:
            return answer
        if answer["import"] and (packages := _missed(self.log.read_text("utf-8", "replace"))):
            raise NotInstalledError(not_installed(packages))
        raise WorkerError(answer["error"])

    @property
    def running(self) -> bool:
        """Whether it was asked already, and has not ended since."""
        return self._running is not None

    def _start(self) -> tuple[subprocess.Popen[bytes], Connection]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        ours, theirs = Pipe()
        with theirs, open(self.log, "wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-u", "-m", "yolo_plugins.comparing.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, **self._environment},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return process, ours

    def close(self) -> None:
        """End the process and whatever it started."""
        if self._running is None:
            return
        (process, connection), self._running = self._running, None
        connection.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _end(process: subprocess.Popen[bytes], when: str, log: Path) -> str:
    """How a process that no longer answers ended."""
    try:
        code = process.wait(5)
    except subprocess.TimeoutExpired:
        return f"closed its answers {when}"
    try:
        how = f"crashed with {signal.Signals(-code).name}"
    except ValueError:
        how = f"ended with code {code}"
    return f"{how} {when}; its output is in {log}"


def _missed(log: str) -> list[str]:
    """The packages that Ultralytics last missed: only what it prints has their names for pip."""
    found = re.findall(r"requirements? \[([^\]]*)\] not found", log)
    return re.findall(r"'[^']*'", found[-1]) if found else []
